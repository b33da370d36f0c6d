"""Compares our emulator with `sam local start-api` and MiniStack: the same functions and machine, one run.

    make bench-emulator

A call is a GET behind a Lambda authorizer without a cache: two invocations. All emulators run at once and are measured
in turns, in short slices, so that the machine's load affects all of them. The overhead of our emulator is measured
before the others start, since they use the processors even when idle. `sam local` needs Docker; an emulator that does
not start is left out, and the reason is printed.
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from emulator import config as configuration
from emulator import template
from emulator.options import Options
from emulator.ports import free_port
from emulator.runtime import Limits, Runtime
from emulator.stack import Function
from tools.conformance.call_recorder import CallRecorder
from tools.conformance.emulator_client import EmulatorClient
from tools.conformance.emulators import EMULATORS
from tools.conformance.emulators.ours import Ours
from tools.conformance.emulators.sam_local import SamLocal
from tools.conformance.run_setup import HOST, CannotStart, RunSetup, find_bridge

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "tools" / "bench" / "emulated"
CONNECTIONS = (1, 8, 32)
ROUNDS = 2
SLICE = 4.0  # seconds
CALLS = 6000  # at most, in one slice
COLD_ROUNDS = 15
COLD_FUNCTIONS = ("QueueEnterFunction", "ReservationsHoldFunction", "PaymentsConfirmFunction", "AuthLoginFunction")
END = "; import os; os._exit(0)"  # without the interpreter's cleanup, which a cold start does not wait for either

IN_PROCESS = """
import statistics, sys, time
sys.path.insert(0, sys.argv[1])
import authorizer, echo, json
event = json.loads(sys.stdin.read())
request = {**event, "type": "REQUEST", "methodArn": "arn:aws:execute-api:us-east-1:000000000000:api/v1/GET/echo"}
def call():
    began = time.perf_counter()
    authorizer.handler(request, None)
    echo.handler(event, None)
    return (time.perf_counter() - began) * 1000
print(statistics.median(call() for _ in range(2000)))
"""


@dataclass
class Load:
    """The sum of one emulator's slices at one number of connections."""

    seconds: float = 0.0
    failures: int = 0
    latencies: list[float] = field(default_factory=list)  # ms

    def add(self, other: "Load") -> None:
        self.seconds += other.seconds
        self.failures += other.failures
        self.latencies += other.latencies

    @property
    def rate(self) -> float:
        """Successful calls a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: int) -> float:
        """A percentile of the latency, in ms."""
        return statistics.quantiles(self.latencies, n=100)[percent - 1] if len(self.latencies) > 1 else float("nan")


def main() -> None:
    """Print the whole report."""
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the run\n")
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="bench-emulator-")))
        recorder = CallRecorder([HOST])
        parts.callback(recorder.close)
        setup = RunSetup(folder, PROJECT, find_bridge(), recorder)
        with_services = _second_start_of_all(folder / "all")
        ready = _second_start(setup)
        cold_starts = asyncio.run(_cold_starts(folder))
        alone, in_process = _alone(setup)
        loads = _take_turns(_start(setup, parts))
    _print_loads(loads)
    over = alone.percentile(50) - in_process
    print(f"\nload average {os.getloadavg()[0]:.1f} after the run\n")
    print("| our emulator | measured | goal |\n|---|---:|---:|")
    print(
        f"| an authorized call, minus its two handlers in process ({in_process:.2f} ms), alone, median |"
        f" {over:.2f} ms | 1 ms |"
    )
    for name, (cold, imports) in cold_starts.items():
        print(
            f"| cold start of {name}, {cold:.0f} ms, ratio to the bare import of its module, {imports:.0f} ms |"
            f" {cold / imports:.2f} | 0.25 |"
        )
    print(f"| second start without services, until the API answers | {ready:.2f} s | 3 s |")
    print(f"| second start of this project, services and seed included | {with_services:.2f} s | 3 s |")


def _second_start(setup: RunSetup) -> float:
    seconds = []
    for _ in range(4):
        emulator = Ours()
        began = time.perf_counter()
        try:
            emulator.start(setup)
            seconds.append(time.perf_counter() - began)
        finally:
            emulator.stop()
    return statistics.median(seconds[1:])


def _second_start_of_all(state: Path) -> float:
    """Seconds of `up` for this project. The first run, which creates cluster, topics and bytecode, is not counted."""
    seconds = []
    where, ports = ["--state", str(state)], ["--port", str(free_port()), "--process-port", f"sandbox={free_port()}"]
    for _ in range(6):
        began = time.perf_counter()
        try:
            _emulator("up", *where, *ports)
            seconds.append(time.perf_counter() - began)
        finally:
            _emulator("down", *where)
    return statistics.median(seconds[1:])


def _emulator(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "emulator", *words], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


async def _cold_starts(folder: Path) -> dict[str, tuple[float, float]]:
    """Medians in ms by function: a cold invocation, and the bare imports of the same modules.

    In turns. The fork server, where it is used, knows already what the functions load.
    """
    config = configuration.of(Options(root=ROOT, state=folder))
    parameters = {
        name: re.sub(r"\$\{.*?\}", "1", value) for name, value in config.parameters.items()
    }  # no services run
    stack = template.load(config.template, parameters, region=config.region, cache=folder)
    functions = {name: stack.functions[name] for name in COLD_FUNCTIONS}
    runtime = Runtime(functions, state=folder / "cold", limits=Limits(idle=0.1))
    measured: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in functions}
    try:
        for _ in range(COLD_ROUNDS + 2):
            for name, function in functions.items():
                began = time.perf_counter()
                await runtime.invoke(name, b"{}")  # an invalid event, so that the call ends early
                measured[name][0].append((time.perf_counter() - began) * 1000)
                while runtime.stats()[name].environments:  # noqa: ASYNC110 - its end sets no asyncio.Event
                    await asyncio.sleep(0.02)
                measured[name][1].append(await _bare_imports(function, folder / "cold" / "bytecode"))
    finally:
        await runtime.close()
    # The first two of each write bytecode, and the fork server learns from them.
    return {name: (statistics.median(cold[2:]), statistics.median(bare[2:])) for name, (cold, bare) in measured.items()}


async def _bare_imports(function: Function, bytecode: Path) -> float:
    module = function.handler.rpartition(".")[0]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    variables |= {
        "PYTHONPYCACHEPREFIX": str(bytecode),
        "PYTHONPATH": os.pathsep.join(str(path) for path in (function.code, *function.layers)),
    }
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", f"import {module}{END}", env=variables)
    await process.wait()
    return (time.perf_counter() - began) * 1000


def _alone(setup: RunSetup) -> tuple[Load, float]:
    """Load over one connection while no other emulator runs, and the handlers' own ms in this process."""
    emulator, load = Ours(), Load()
    try:
        client = emulator.start(setup)
        _slice(client, 1, 3.0)
        for _ in range(2 * ROUNDS):
            load.add(_slice(client, 1, SLICE))
        return load, _in_process(client)
    finally:
        emulator.stop()


def _start(setup: RunSetup, parts: ExitStack) -> dict[str, EmulatorClient]:
    clients = {}
    for name, kind in EMULATORS.items():
        emulator = kind()
        parts.callback(emulator.stop)
        try:
            clients[name] = (
                emulator.start(setup, invoke_api=False) if isinstance(emulator, SamLocal) else emulator.start(setup)
            )
        except CannotStart as reason:
            print(f"{emulator.title} does not start: {reason}\n")
    return clients


def _take_turns(clients: dict[str, EmulatorClient]) -> dict[tuple[str, int], Load]:
    loads: defaultdict[tuple[str, int], Load] = defaultdict(Load)
    for connections in CONNECTIONS:
        for client in clients.values():
            _slice(client, connections, 3.0)  # warm-up: starts the environments
        for _ in range(ROUNDS):
            for name, client in clients.items():
                loads[name, connections].add(_slice(client, connections, SLICE))
    return loads


def _slice(client: EmulatorClient, connections: int, seconds: float) -> Load:
    url = f"http://{client.api.host}:{client.api.port}{client.api.prefix}/echo"
    headers = {**client.api.headers, "Authorization": "allow"}
    command = [sys.executable, "-m", "tools.bench.load", url, str(connections), str(seconds), str(CALLS)]
    command += [f"{name}={value}" for name, value in headers.items()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return Load(**json.loads(done.stdout))


def _in_process(client: EmulatorClient) -> float:
    event = client.http("/echo", headers=[("Authorization", "allow")]).body.decode()
    functions = str(ROOT / "tools" / "conformance" / "functions")
    command = [sys.executable, "-c", IN_PROCESS, functions]
    return float(subprocess.run(command, input=event, check=True, capture_output=True, text=True).stdout)


def _print_loads(loads: dict[tuple[str, int], Load]) -> None:
    print(
        "| connections | emulator | calls a second | p50 ms | p95 ms | failed | our rate is |\n"
        "|---:|---|---:|---:|---:|---:|---:|"
    )
    for (name, connections), load in loads.items():
        times = loads["ours", connections].rate / load.rate if load.rate else float("inf")
        print(
            f"| {connections} | {EMULATORS[name].title} | {load.rate:.0f} | {load.percentile(50):.1f} |"
            f" {load.percentile(95):.1f} | {load.failures} | {times:.1f} × |"
        )


if __name__ == "__main__":
    main()
