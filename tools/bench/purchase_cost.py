"""Measures the processor time of one warm purchase, by process and by function: `make bench-purchase`.

Buyers go through queue, hold, payment and ticket on a new stack, or on the running one whose stack.json is named. It
prints, for one purchase, the processor time of each process and the calls of each function. The load of the idle stack
is measured before and subtracted in the last column.

    python -m tools.bench.purchase_cost [stack.json] [--purchases 200] [--at-once 8] [--idle 30]
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tools.bench.peers.buyer import Shop
from tools.bench.processes import StackProcesses, difference
from tools.throwaway_stack import throwaway_stack

WARM_UP = 24  # purchases before the measured ones
SMALL = 0.0005  # a process with fewer processor seconds a purchase is not printed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.purchase_cost", description=__doc__.partition("\n")[0])
    parser.add_argument("stack", nargs="?", type=Path, help="the stack.json of a running stack; by default a new stack")
    parser.add_argument("--purchases", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--idle", type=float, default=30, help="seconds to measure the idle stack")
    arguments = parser.parse_args()
    with _stack(arguments.stack) as stack:
        # A hall has full rows of twenty seats.
        shop = Shop(stack, -(-(arguments.purchases + WARM_UP) // 20) * 20)
        asyncio.run(shop.sell(WARM_UP, arguments.at_once))
        processes = StackProcesses(stack)
        idle = _idle(processes, arguments.idle)
        calls, before = _calls(stack), processes.cpu_seconds()
        outcome = asyncio.run(shop.sell(arguments.purchases, arguments.at_once))
        used = difference(processes.cpu_seconds(), before)
        calls = Counter(difference(_calls(stack), calls))
    if outcome.failed:
        print(*sorted(set(outcome.failed))[:5], sep="\n", file=sys.stderr)
    print(
        f"\n{outcome.bought} purchases, {arguments.at_once} at once, in {outcome.seconds:.1f} s "
        f"({outcome.bought / outcome.seconds:.1f}/s), {len(outcome.failed)} failed; {os.cpu_count()} processors\n"
    )
    _print_purchase(used, idle, calls, outcome.bought, outcome.seconds)
    sys.exit(1 if outcome.failed else 0)


@contextmanager
def _stack(running: Path | None) -> Iterator[Mapping[str, Any]]:
    if running is None:
        # All buyers share one address, so there are no rate limits, for buyers or for services.
        with throwaway_stack(RateLimits="off", InternalCallsPerMinute="1000000") as stack:
            yield stack
    else:
        yield {**json.loads(running.read_text(encoding="utf-8")), "state": str(running.parent)}


def _calls(stack: Mapping[str, Any]) -> Counter[str]:
    functions = httpx.get(f"{stack['admin']}/status").json()["functions"]
    return Counter({name: stats["invocations"] for name, stats in functions.items()})


def _idle(processes: StackProcesses, seconds: float) -> dict[str, float]:
    """Processor seconds a second of each process while the stack is idle. Prints them with the memory."""
    time.sleep(2)  # for work that the purchases before left
    before, began = processes.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    idle = {name: used / took for name, used in difference(processes.cpu_seconds(), before).items()}
    memory = processes.memory()
    load = os.getloadavg()[0]
    print(f"idle for {took:.0f} s, {processes.count()} processes, load average of the machine {load:.1f}\n")
    print("| idle | % of a core | PSS, MiB |\n|---|---:|---:|")
    for name in sorted(memory, key=lambda name: -idle.get(name, 0.0)):
        print(f"| {name} | {100 * idle.get(name, 0.0):.2f} | {memory[name] / 2**20:,.0f} |")
    print(f"| **all** | {100 * sum(idle.values()):.2f} | {memory.total() / 2**20:,.0f} |")
    return idle


def _print_purchase(
    used: Mapping[str, float], idle: Mapping[str, float], calls: Mapping[str, float], purchases: int, seconds: float
) -> None:
    total = sum(used.values())
    net = {name: max(0.0, each - idle.get(name, 0.0) * seconds) for name, each in used.items()}
    print("| one purchase | calls | processor ms | share, % | net of idle, ms |\n|---|---:|---:|---:|---:|")
    for name in sorted(used, key=lambda name: -used[name]):
        if used[name] / purchases >= SMALL or calls.get(name, 0) >= purchases:
            count = f"{calls[name] / purchases:.1f}" if name in calls else ""
            share, cost = 100 * used[name] / total, 1000 * used[name] / purchases
            print(f"| {name} | {count} | {cost:.1f} | {share:.0f} | {1000 * net[name] / purchases:.1f} |")
    invocations = sum(calls.values()) / purchases
    print(
        f"| **all** | {invocations:.1f} | {1000 * total / purchases:.1f} | 100 | "
        f"{1000 * sum(net.values()) / purchases:.1f} |"
    )


if __name__ == "__main__":
    main()
