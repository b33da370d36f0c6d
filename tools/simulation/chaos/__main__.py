"""`make chaos MINUTES=10`: with three Apache Kafka brokers.

python -m tools.simulation.chaos 1 --one-broker    needs no Java
"""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from tools.simulation.chaos.chaos_run import ChaosRun


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.simulation.chaos", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--one-broker", action="store_true", help="use the default broker and do not kill it")
    parser.add_argument("--rate", type=float, default=100, help="messages a second")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)  # kafka-python logs every broken connection; here they are expected
    with tempfile.TemporaryDirectory() as folder:
        chaos = ChaosRun(Path(folder), three_brokers=not arguments.one_broker, a_second=arguments.rate)
        report = chaos.run(arguments.minutes * 60, progress=lambda text: print(text, flush=True))
    print(f"\n{report.table()}")
    sys.exit(0 if report.passed else 1)


if __name__ == "__main__":
    main()
