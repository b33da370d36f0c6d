"""Runs buyers on our stack and on pretix in turns: `make bench-peers` (docs/peers.md)."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import psutil

from tools.bench.peers.buyer import Outcome, Shop
from tools.bench.peers.pretix_checkout import VERSION, running_pretix
from tools.bench.processes import StackProcesses
from tools.throwaway_stack import throwaway_stack

CONCURRENCY = (1, 8, 32)
CROWD, SEATS = 400, 50
WARM_UP = 32
TIMES = 6  # purchases of each concurrent buyer; three times as many for a single one


class _Shop(Protocol):
    async def sell(self, buyers: int, at_once: int) -> Outcome: ...


@dataclass(frozen=True)
class _Contender:
    name: str
    shops: list[_Shop]  # one for the warm-up, then one for each round
    cpu_seconds: Callable[[], float]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.peers", description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=TIMES, help="purchases of each concurrent buyer")
    parser.add_argument("--crowd", type=int, default=CROWD)
    parser.add_argument("--seats", type=int, default=SEATS)
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="purchases before the measured ones")
    arguments = parser.parse_args()
    rounds = [(at_once * arguments.times * (3 if at_once == 1 else 1), at_once) for at_once in CONCURRENCY]
    # Full rows of twenty seats, and a seat for every buyer.
    seats = [-(-buyers // 20) * 20 for buyers in (arguments.warm_up, *(buyers for buyers, _ in rounds))] + [
        arguments.seats
    ]
    with throwaway_stack(RateLimits="off", InternalCallsPerMinute="1000000") as stack, running_pretix() as pretix:
        processes = StackProcesses(stack)
        contenders = [
            _Contender("ours", [Shop(stack, count) for count in seats], lambda: sum(processes.cpu_seconds().values())),
            _Contender(f"pretix {VERSION}", list(pretix.events(seats)), pretix.cpu_seconds),
        ]
        print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the runs\n")
        for contender in contenders:
            asyncio.run(contender.shops[0].sell(arguments.warm_up, 8))
        failed = False
        print("| concurrent buyers | | bought | purchases/s | processor s each | failed | 5xx (503 with Retry-After) |")
        print("|---:|---|---:|---:|---:|---:|---:|", flush=True)
        for number, (buyers, at_once) in enumerate(rounds, 1):
            for contender in contenders:
                outcome, used, _ = _round(contender, number, buyers, at_once)
                print(
                    f"| {at_once} | {contender.name} | {outcome.bought} of {buyers} "
                    f"| {outcome.bought / outcome.seconds:.2f} | {used / max(1, outcome.bought):.3f} "
                    f"| {len(outcome.failed)} | {_errors(outcome)} |",
                    flush=True,
                )
                failed = failed or (contender is contenders[0] and bool(outcome.failed))
        print(
            f"\n| {arguments.crowd} buyers on {arguments.seats} seats | s until all have an answer | processor s "
            "| bought | sold out | failed | 5xx (503 with Retry-After) | CPU steal, % |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
        for contender in contenders:
            outcome, used, steal = _round(contender, len(rounds) + 1, arguments.crowd, arguments.crowd)
            print(
                f"| {contender.name} | {outcome.seconds:.1f} | {used:.1f} | {outcome.bought} | {outcome.sold_out} "
                f"| {len(outcome.failed)} | {_errors(outcome)} | {steal:.0f} |",
                flush=True,
            )
            failed = failed or (contender is contenders[0] and bool(outcome.failed))
        memory = {"ours": processes.memory().total(), "pretix": pretix.memory()}
        print(
            "\nmemory (PSS) after the runs:",
            ", ".join(f"{name} {size / 2**30:.2f} GiB" for name, size in memory.items()),
        )
    sys.exit(1 if failed else 0)


def _round(contender: _Contender, number: int, buyers: int, at_once: int) -> tuple[Outcome, float, float]:
    """The outcome of the buyers, the contender's processor seconds, and the CPU steal in percent."""
    before, times = contender.cpu_seconds(), psutil.cpu_times()
    outcome = asyncio.run(contender.shops[number].sell(buyers, at_once))
    after = psutil.cpu_times()
    steal = 100 * (after.steal - times.steal) / max(0.01, sum(after) - sum(times))
    for failure in sorted(set(outcome.failed))[:3]:
        print(f"{contender.name}: {failure}", file=sys.stderr)
    return outcome, contender.cpu_seconds() - before, steal


def _errors(outcome: Outcome) -> str:
    return f"{outcome.server_errors} ({outcome.busy})" if outcome.server_errors else "0"


if __name__ == "__main__":
    main()
