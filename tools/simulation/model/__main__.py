"""`make model MINUTES=60`: runs the model, with new seeds each time, and prints a table of operations and faults."""

import argparse
import contextlib
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from emulator import services
from functions.payments.adapters.clients.portone import portone_client
from migrations.__main__ import LOGINS, migrate, set_passwords
from tools.invariants.checker import rules
from tools.simulation.fake_portone import SETTINGS, fake_portone
from tools.simulation.model.machine import machine
from tools.simulation.model.search_settings import RUN
from tools.simulation.model.world import Stats, Stores, logins, quiet

PASSWORD = "model-only"
RUNS_PER_ROUND = 20  # the time is checked after each round


def table(stats: Stats) -> str:
    def block(name: str, counts: Counter[str]) -> list[str]:
        rows = [f"| {what} | {times:,} |" for what, times in sorted(counts.items())]
        return ["", f"| {name} | times |", "|---|---:|", *rows]

    lines = [
        ("runs", stats.runs),
        ("steps", stats.steps),
        ("operations, with those at the end of a run", stats.operations.total()),
        ("faults", stats.faults.total()),
        ("code locations with a fault", len(stats.code_locations)),
        ("won paid", stats.paid),
        ("won refunded", stats.refunded),
        ("tickets at the end", stats.tickets),
        (f"violations of {len(rules())} invariants", stats.violations),
    ]
    figures = ["| | |", "|---|---:|", *(f"| {name} | {count:,} |" for name, count in lines)]
    return "\n".join([*figures, *block("fault", stats.faults), *block("operation and outcome", stats.outcomes)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.simulation.model", description=__doc__)
    parser.add_argument("minutes", type=float)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        wanted: dict[str, dict[str, object]] = {"postgres": {"database": "ticketing"}, "redis": {}}
        running = stack.enter_context(services.start(wanted, Path(folder)))
        migrate(running.postgres)
        set_passwords(running.postgres, dict.fromkeys(LOGINS, PASSWORD))
        client = stack.enter_context(portone_client("http://127.0.0.1:9", SETTINGS.portone_api_secret))
        portone = stack.enter_context(fake_portone())
        stores = Stores(logins(running.postgres, PASSWORD), running.postgres, running.redis, portone, client)
        end = time.monotonic() + arguments.minutes * 60
        try:
            while time.monotonic() < end:
                with quiet():
                    run_state_machine_as_test(machine(stores), settings=settings(RUN, max_examples=RUNS_PER_ROUND))
                print(f"{stores.stats.steps:,} steps, {stores.stats.faults.total():,} faults", flush=True)
        finally:
            print(f"\n{table(stores.stats)}")


if __name__ == "__main__":
    main()
