"""`make chaos MINUTES=10`: three brokers of Apache Kafka.

python -m tools.simulation.chaos 1 --one-broker    needs no Java
"""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from tools.simulation.chaos.drill import Drill


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.simulation.chaos", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--one-broker", action="store_true", help="the default broker, which is not killed")
    parser.add_argument("--rate", type=float, default=100, help="messages a second")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)  # kafka-python tells of every connection that breaks; they are meant to
    with tempfile.TemporaryDirectory() as folder:
        drill = Drill(Path(folder), three_brokers=not asked.one_broker, a_second=asked.rate)
        report = drill.run(asked.minutes * 60, tell=lambda text: print(text, flush=True))
    print(f"\n{report.table()}")
    sys.exit(0 if report.sound else 1)


if __name__ == "__main__":
    main()
