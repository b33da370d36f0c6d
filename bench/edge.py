"""Three ways to write the edge of a handler: what each costs a cold start and a warm call.

    make bench-edge

Cold: a fresh process that imports the module, bytecode compiled; the ways take turns and the median counts.
Warm: 2,000 calls of one event in a process of their own.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
WAYS = {"no edge": "bare", "thin decorator (ours)": "decorator", "Powertools REST resolver": "resolver"}
ROUNDS = 15
EVENT = ROOT / "events" / "queue_enter.json"

WARM = """
import json, os, sys, time
from importlib import import_module
handler = import_module(sys.argv[1]).handler
event = json.load(open(sys.argv[2]))
for _ in range(200): handler(event, None)
began = time.perf_counter()
for _ in range(2000): handler(event, None)
took = (time.perf_counter() - began) / 2000
assert handler(event, None)["statusCode"] == 200
print(took * 1e6)
"""


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join([str(ROOT), str(ROOT / "layers/common/python")])
    return {
        **kept,
        "PYTHONPATH": path,
        "PYTHONPYCACHEPREFIX": str(ROOT / ".local/pycache"),
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def _python(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments], env=_environment(), check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout


def _cold(code: str) -> float:
    began = time.perf_counter()
    _python("-c", code)
    return (time.perf_counter() - began) * 1000


def _warm(module: str) -> float:
    return float(_python("-c", WARM, module, str(EVENT)).splitlines()[-1])


def main() -> None:
    imports = {way: f"import bench.edges.{module}" for way, module in WAYS.items()} | {"bare Python": "pass"}
    for code in imports.values():
        _cold(code)  # compiles
    cold: dict[str, list[float]] = {way: [] for way in imports}
    for _ in range(ROUNDS):
        for way, code in imports.items():
            cold[way].append(_cold(code))
    warm = {way: _warm(f"bench.edges.{module}") for way, module in WAYS.items()}
    bare = statistics.median(cold["bare Python"])
    lines = {way: len(_source(module)) for way, module in WAYS.items()}
    print("| edge | import ms over bare Python | ratio | warm µs a call | lines for one endpoint |")
    print("|---|---:|---:|---:|---:|")
    ours = statistics.median(cold["thin decorator (ours)"]) - bare
    for way in WAYS:
        took = statistics.median(cold[way]) - bare
        print(f"| {way} | {took:.0f} | {took / ours:.2f} | {warm[way]:.0f} | {lines[way]} |")


def _source(module: str) -> list[str]:
    text = (ROOT / "bench" / "edges" / f"{module}.py").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip()]


if __name__ == "__main__":
    main()
