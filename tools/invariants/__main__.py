"""Looks at a stack that runs: `python -m tools.invariants [STATE/stack.json] [--within SECONDS]`.

What is on its way may look wrong, so it looks again until all is well or the time is up; then the exit code is 1.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import redis

from tools.invariants.checker import BankPayment, Violation, connect, rules, violations


def look(stack: Mapping[str, Any]) -> list[Violation]:
    """What is wrong with a stack now; `stack` is what its stack.json holds."""
    items = httpx.get(f"{stack['sandbox']}/sandbox/payments", timeout=30).raise_for_status().json()["items"]
    bank = {UUID(each["id"]): BankPayment(each["paidAmount"], each["cancelledAmount"]) for each in items}
    with connect(stack["postgres"]) as postgres, redis.Redis.from_url(stack["redis"], decode_responses=True) as cache:
        return violations(postgres, cache, bank, datetime.now(UTC))


def settled(stack: Mapping[str, Any], within: float) -> list[Violation]:
    """What is still wrong after at most `within` seconds; empty as soon as nothing is."""
    end = time.monotonic() + within
    while (found := look(stack)) and time.monotonic() < end:
        time.sleep(0.5)
    return found


def table(found: list[Violation]) -> str:
    counts = Counter(violation.rule for violation in found)
    return "\n".join(
        ["| invariant | violations |", "|---|---:|", *(f"| {rule} | {counts[rule]} |" for rule in rules())]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.invariants", description=__doc__)
    parser.add_argument("stack", nargs="?", default=".local/stack.json", type=Path)
    parser.add_argument("--within", type=float, default=30, metavar="SECONDS")
    asked = parser.parse_args()
    try:
        found = settled(json.loads(asked.stack.read_text(encoding="utf-8")), asked.within)
    except FileNotFoundError:
        sys.exit("Nothing runs here yet: `make up` first.")
    print(table(found))
    for violation in found:
        print(f"\n{violation}", end="")
    print(f"\n{len(found)} violations")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
