"""How long each function takes to start, from what would be deployed: `make bench-init`.

The layer and the functions are built by their own makefiles, for this machine's processor, and each function is started
by awslambdaric in a fresh process whose path is Lambda's: /var/task, /opt/python, /var/runtime and nothing else. Time
is the processor's, of all threads, which a busy machine disturbs least: up to when the runtime asks for an event, in
medians, over a process that loads nothing but the runtime. The first call and the second are of the function's sample
event on a running stack; what the first takes over the second is what initialisation has left to it.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit

from emulator import config as configuration
from emulator import template
from emulator.stack import Function
from tools.handlers import DeployedFunction
from tools.throwaway_stack import throwaway_stack

ROOT = Path(__file__).parents[2]
ROUNDS = 3
INVOCATION_SECONDS = 5  # what a function is told it has: those that run through their minute end at once
PATIENCE = 60

# What the others are compared with: a runtime that loads an empty handler, and one that loads what none can do without.
YARDSTICKS = {
    "bare": "def handler(event, context): pass\n",
    "three": "import psycopg, pydantic, redis\nclass A(pydantic.BaseModel): ...\ndef handler(event, context): pass\n",
}


@dataclass(frozen=True)
class Built:
    """What lies at /var/task, /opt/python and /var/runtime."""

    task: Path
    layer: Path
    runtime: Path

    @property
    def path(self) -> str:
        return os.pathsep.join(map(str, (self.task, self.layer, self.runtime)))


def main() -> None:
    began = time()
    print(f"{platform.machine()}, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f} before\n")
    with tempfile.TemporaryDirectory(prefix="bench-init-") as folder, throwaway_stack() as stack:
        built = build(Path(folder) / "with")
        bare = without_bytecode(built, Path(folder) / "without")
        functions = _functions(stack)
        print_table(functions, *measure(functions, built, bare))
    print(f"\nload average {os.getloadavg()[0]:.1f} after; {time() - began:.0f} s in all")


def build(folder: Path) -> Built:
    """By the makefiles that `sam build` calls."""
    built = Built(folder / "task", folder / "layer" / "python", folder / "runtime")
    machine = "x86_64" if platform.machine() in ("x86_64", "AMD64") else "arm64"
    variables = {**os.environ, "ARCHITECTURE": machine, "PYTHON313": sys.executable}
    for source, target, artifacts in (
        ("functions", "build-Any", built.task),
        ("layers/common", "build-CommonLayer", built.layer.parent),
    ):
        artifacts.mkdir(parents=True)
        subprocess.run(
            [shutil.which("make") or "make", "-sC", source, target, f"ARTIFACTS_DIR={artifacts}"],
            cwd=ROOT,
            env=variables,
            check=True,
        )
    for name, code in YARDSTICKS.items():
        (built.task / f"{name}.py").write_text(code, encoding="utf-8")
    runtime = [f"{name}=={version(name)}" for name in ("awslambdaric", "boto3", "botocore")]
    uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", sys.executable, "--target"]
    subprocess.run([*uv, str(built.runtime), *runtime], check=True)
    compiler = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*compiler, str(built.runtime), str(built.task)], check=True)
    return built


def without_bytecode(built: Built, folder: Path) -> Built:
    """The same, as SAM's own builder would leave it; the runtime keeps its bytecode, as AWS's has it."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Built(
        Path(shutil.copytree(built.task, folder / "task", ignore=ignored)),
        Path(shutil.copytree(built.layer, folder / "layer", ignore=ignored)),
        built.runtime,
    )


def _functions(stack: Mapping[str, Any]) -> dict[str, Function]:
    """Those of the template, with the variables they have on this stack."""
    config = configuration.load(ROOT)
    values = {"project": str(ROOT), "state": stack["state"], "kafka.bootstrap": ",".join(stack["kafka"])}
    for name in ("postgres", "redis", "aws", "sandbox", "lambda", "api"):
        url = stack[name]
        parts = urlsplit(url)
        values |= {f"{name}.url": url, f"{name}.host": parts.hostname or "", f"{name}.port": str(parts.port or "")}
    values["postgres.database"] = urlsplit(stack["postgres"]).path.removeprefix("/")
    found = template.load(config.template, configuration.fill_all(config.parameters, values), region=config.region)
    everywhere = configuration.fill_all(config.environment, values)
    everywhere |= {"AWS_DEFAULT_REGION": config.region, "AWS_REGION": config.region}
    everywhere |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return {
        name: replace(each, environment={**each.environment, **everywhere}) for name, each in found.functions.items()
    }


Times = dict[str, list[float]]


def measure(functions: Mapping[str, Function], built: Built, bare: Built) -> tuple[dict[str, Times], Times]:
    """Milliseconds by function: of init, first and second call with bytecode, and of init without."""
    started: dict[str, Times] = defaultdict(lambda: defaultdict(list))
    slow: Times = defaultdict(list)
    yardsticks = {name: f"{name}.handler" for name in YARDSTICKS}

    def one(name: str, number: int) -> None:
        if name in yardsticks:
            started[name]["init"].append(_start(built, yardsticks[name], {}, [])[0])
            slow[name].append(_start(bare, yardsticks[name], {}, [])[0])
            return
        function = functions[name]
        calls = [_sample(function)] * 2 if number == 0 else []
        times = _start(built, function.handler, function.environment, calls)
        for step, took in zip(("init", "first", "second"), times, strict=False):
            started[name][step].append(took)
        if number == 0:
            slow[name].append(_start(bare, function.handler, function.environment, [])[0])

    # The yardsticks come again and again between the others: what the machine does meanwhile falls on all.
    turns = [(name, number) for number in range(ROUNDS) for some in _tens(functions) for name in (*yardsticks, *some)]
    with ThreadPoolExecutor(os.cpu_count()) as processes:
        list(processes.map(lambda turn: one(*turn), turns))
    return started, slow


def _tens(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, 10)):
        yield some


def _sample(function: Function) -> bytes:
    return DeployedFunction(function.name, function.handler.removesuffix(".handler")).sample.read_bytes()


def print_table(functions: Mapping[str, Function], started: Mapping[str, Times], slow: Times) -> None:
    bare, bare_slow = statistics.median(started["bare"]["init"]), statistics.median(slow["bare"])
    yardstick = statistics.median(started["three"]["init"]) - bare
    print(
        "Processor ms over the bare runtime's"
        f" ({bare:.0f}); importing pydantic, redis and psycopg alone takes {yardstick:.0f},"
        f" without bytecode {statistics.median(slow['three']) - bare_slow:.0f}.\n\n"
        "| function | init | of theirs | without bytecode | first call over the second |\n|---|---:|---:|---:|---:|"
    )
    rows = {name: statistics.median(started[name]["init"]) - bare for name in functions}
    for name, init in sorted(rows.items(), key=lambda row: -row[1]):
        first = started[name]["first"][0] - started[name]["second"][0]
        without = statistics.median(slow[name]) - bare_slow
        print(
            f"| {name.removesuffix('Function')} | {init:.0f} | {init / yardstick:.2f} | {without:.0f} | {first:.0f} |"
        )


def _start(built: Built, handler: str, variables: Mapping[str, str], events: list[bytes]) -> list[float]:
    """Processor ms of a fresh process: until it asks for an event, then for each of `events`."""
    with _runtime_api(events) as (address, taken):
        environment = {
            **variables,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": built.path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_NAME": handler,
            "LAMBDA_TASK_ROOT": str(built.task),
        }
        # -S: no site-packages, which would bring this machine's own along.
        process = subprocess.Popen(
            [sys.executable, "-S", "-m", "awslambdaric", handler],
            env=environment,
            cwd=built.task,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return taken(process)
        finally:
            process.kill()
            process.wait()


@contextmanager
def _runtime_api(events: list[bytes]) -> Iterator[tuple[str, "_Taken"]]:
    taken = _Taken(events)

    class RuntimeApi(BaseHTTPRequestHandler):
        """https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            event = taken.next()
            if event is None:
                return
            self.send_response(200)
            for name, value in (
                ("Lambda-Runtime-Aws-Request-Id", "00000000-0000-0000-0000-000000000000"),
                ("Lambda-Runtime-Deadline-Ms", str(int((time() + INVOCATION_SECONDS) * 1000))),
                ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:measured"),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(event))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("/init/error"):
                taken.fail(body.decode())
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}", taken
        finally:
            server.shutdown()


class _Taken:
    """What a process has taken of the processor, read whenever it asks for an event."""

    def __init__(self, events: list[bytes]) -> None:
        self._events = iter(events)
        self._marks = [0.0]
        self._pid: int | None = None
        self._known = threading.Event()
        self._over = threading.Event()
        self._failure = ""

    def __call__(self, process: "subprocess.Popen[bytes]") -> list[float]:
        self._pid = process.pid
        self._known.set()
        if not self._over.wait(PATIENCE) or self._failure:
            raise SystemExit(f"{process.args!r} did not start: {self._failure or 'no answer'}")
        return [later - earlier for earlier, later in zip(self._marks, self._marks[1:], strict=False)]

    def next(self) -> bytes | None:
        """The event to hand out; None when there is none left."""
        self._known.wait()
        # Linux's own account, in ns; psutil's has ticks of 10 ms. https://docs.kernel.org/scheduler/sched-stats.html
        tasks = Path(f"/proc/{self._pid}/task").glob("*/schedstat")
        self._marks.append(sum(int(task.read_text().split()[0]) for task in tasks) / 1e6)
        event = next(self._events, None)
        if event is None:
            self._over.set()
        return event

    def fail(self, error: str) -> None:
        self._failure = str(json.loads(error))
        self._over.set()


if __name__ == "__main__":
    main()
