"""Compares three ways to write an endpoint, in a cold start and in a warm call, and measures the rate limits.

    make bench-endpoint

Cold: a new process imports the module, with compiled bytecode; in turns, median.
Warm: 2,000 calls in a process of their own, each from another user and address; median of five.
The rate limits count in a real Redis, compared with the bare script in the same run.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from emulator import services

ROOT = Path(__file__).parents[2]
WAYS = {"no decorator": "bare", "thin decorator (ours)": "decorator", "Powertools REST resolver": "resolver"}
ROUNDS = 15
EVENT = ROOT / "events" / "enter_queue.json"

WARM = """
import json, os, sys, time
from importlib import import_module
from uuid import uuid4
handler = import_module(sys.argv[1]).handler
event = json.load(open(sys.argv[2]))
context = event["requestContext"]
def called(calls):
    for number in range(calls):
        context["authorizer"]["sub"] = str(uuid4())
        context["identity"]["sourceIp"] = f"10.1.{number // 250}.{number % 250}"
        assert handler(event, None)["statusCode"] == 200
called(200)
began = time.perf_counter()
called(2000)
print((time.perf_counter() - began) / 2000 * 1e6)
"""
BARE_SCRIPT = """
import sys, time
from pathlib import Path
import common.protection.rate_limit
from common.stores.redis import Script, run_together
from common.wiring.redis_client import redis_client
script = Script(Path(common.protection.rate_limit.__file__).parent / "lua" / "count_request.lua")
client = redis_client()
def called(calls):
    for number in range(calls):
        times = [time.time_ns() // 1000, 300_000, 240]
        run_together(client, [(script, [f"bare:{{{number}:{each}}}"], times) for each in range(int(sys.argv[1]))])
called(200)
began = time.perf_counter()
called(2000)
print((time.perf_counter() - began) / 2000 * 1e6)
"""


def _environment(more: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join([str(ROOT), str(ROOT / "layers/common/python")])
    return {
        **kept,
        **more,
        "PYTHONPATH": path,
        "PYTHONPYCACHEPREFIX": str(ROOT / ".local/pycache"),
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def _python(*arguments: str, **more: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments], env=_environment(more), check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout


def _cold(code: str) -> float:
    began = time.perf_counter()
    _python("-c", code)
    return (time.perf_counter() - began) * 1000


def _warm(module: str, **more: str) -> float:
    return float(_python("-c", WARM, module, str(EVENT), **more).splitlines()[-1])


def _limits() -> None:
    """Measure calls with and without rate limits, in turns, with a real Redis."""
    with tempfile.TemporaryDirectory() as folder, services.start({"redis": {}}, Path(folder)) as running:
        redis = {"REDIS_URL": running.redis, "REDIS_CLUSTER": "false"}
        ways: dict[str, Callable[[], float]] = {
            "no decorator": lambda: _warm("tools.bench.endpoint_variants.bare"),
            "endpoint, no rate limits": lambda: _warm("tools.bench.endpoint_variants.decorator", RATE_LIMITS="off"),
            "endpoint, requests of the user counted": lambda: _warm(
                "tools.bench.endpoint_variants.decorator", RATE_LIMITS="users", **redis
            ),
            "endpoint, requests of user and address counted": lambda: _warm(
                "tools.bench.endpoint_variants.decorator", RATE_LIMITS="on", **redis
            ),
            "the bare script, once": lambda: float(_python("-c", BARE_SCRIPT, "1", **redis)),
            "the bare script, twice in one round trip": lambda: float(_python("-c", BARE_SCRIPT, "2", **redis)),
        }
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(5):
            for way, timed in ways.items():
                took[way].append(timed())
    bare = statistics.median(took["the bare script, twice in one round trip"])
    print("\n| a warm call | µs | ratio to the bare script, twice |")
    print("|---|---:|---:|")
    for way in ways:
        median = statistics.median(took[way])
        print(f"| {way} | {median:.0f} | {median / bare:.2f} |")


def main() -> None:
    imports = {way: f"import tools.bench.endpoint_variants.{module}" for way, module in WAYS.items()} | {
        "bare Python": "pass"
    }
    for code in imports.values():
        _cold(code)  # compiles
    cold: dict[str, list[float]] = {way: [] for way in imports}
    for _ in range(ROUNDS):
        for way, code in imports.items():
            cold[way].append(_cold(code))
    warm = {way: _warm(f"tools.bench.endpoint_variants.{module}") for way, module in WAYS.items()}
    bare = statistics.median(cold["bare Python"])
    lines = {way: len(_source(module)) for way, module in WAYS.items()}
    print("| way | import ms over bare Python | ratio | warm µs a call | lines for one endpoint |")
    print("|---|---:|---:|---:|---:|")
    ours = statistics.median(cold["thin decorator (ours)"]) - bare
    for way in WAYS:
        took = statistics.median(cold[way]) - bare
        print(f"| {way} | {took:.0f} | {took / ours:.2f} | {warm[way]:.0f} | {lines[way]} |")
    _limits()


def _source(module: str) -> list[str]:
    text = (ROOT / "tools" / "bench" / "endpoint_variants" / f"{module}.py").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip()]


if __name__ == "__main__":
    main()
