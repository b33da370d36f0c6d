"""Measures how long each function takes to start, from what would be deployed: `make bench-init`.

The layer and the functions are built by their makefiles, for this machine's processor. awslambdaric starts each
function in a new process with Lambda's path: /var/task, /opt/python, /var/runtime and nothing else. Times are processor
time of all threads, on which a busy machine has the least effect: until the runtime requests an event, as medians,
minus those of a process that loads only the runtime. The first and second call use the function's sample event on a
running stack; their difference is the work that initialisation left to the first call.
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
INVOCATION_SECONDS = 5  # the deadline of an invocation, so short that functions which run for a minute end at once
START_TIMEOUT = 60

# Baselines: a runtime with an empty handler, and one with the three libraries that almost every function loads.
BASELINES = {
    "bare": "def handler(event, context): pass\n",
    "three": "import psycopg, pydantic, redis\nclass A(pydantic.BaseModel): ...\ndef handler(event, context): pass\n",
}


@dataclass(frozen=True)
class Built:
    """The folders for /var/task, /opt/python and /var/runtime."""

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
    print(f"\nload average {os.getloadavg()[0]:.1f} after; {time() - began:.0f} s in total")


def build(folder: Path) -> Built:
    """Build with the makefiles that `sam build` calls."""
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
    for name, code in BASELINES.items():
        (built.task / f"{name}.py").write_text(code, encoding="utf-8")
    runtime = [f"{name}=={version(name)}" for name in ("awslambdaric", "boto3", "botocore")]
    uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", sys.executable, "--target"]
    subprocess.run([*uv, str(built.runtime), *runtime], check=True)
    compiler = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*compiler, str(built.runtime), str(built.task)], check=True)
    return built


def without_bytecode(built: Built, folder: Path) -> Built:
    """A copy as SAM's default builder would make it. The runtime keeps its bytecode, as on AWS."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Built(
        Path(shutil.copytree(built.task, folder / "task", ignore=ignored)),
        Path(shutil.copytree(built.layer, folder / "layer", ignore=ignored)),
        built.runtime,
    )


def _functions(stack: Mapping[str, Any]) -> dict[str, Function]:
    """The template's functions, with their variables on this stack."""
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
    """Milliseconds by function: init, first and second call with bytecode, and init without it."""
    started: dict[str, Times] = defaultdict(lambda: defaultdict(list))
    slow: Times = defaultdict(list)
    baselines = {name: f"{name}.handler" for name in BASELINES}

    def one(name: str, number: int) -> None:
        if name in baselines:
            started[name]["init"].append(_start(built, baselines[name], {}, [])[0])
            slow[name].append(_start(bare, baselines[name], {}, [])[0])
            return
        function = functions[name]
        calls = [_sample(function)] * 2 if number == 0 else []
        times = _start(built, function.handler, function.environment, calls)
        for step, took in zip(("init", "first", "second"), times, strict=False):
            started[name][step].append(took)
        if number == 0:
            slow[name].append(_start(bare, function.handler, function.environment, [])[0])

    # The baselines are measured repeatedly between the functions, so that the machine's load affects all.
    runs = [(name, number) for number in range(ROUNDS) for some in _tens(functions) for name in (*baselines, *some)]
    with ThreadPoolExecutor(os.cpu_count()) as processes:
        list(processes.map(lambda run: one(*run), runs))
    return started, slow


def _tens(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, 10)):
        yield some


def _sample(function: Function) -> bytes:
    return DeployedFunction(function.name, function.handler.removesuffix(".handler")).sample.read_bytes()


def print_table(functions: Mapping[str, Function], started: Mapping[str, Times], slow: Times) -> None:
    bare, bare_slow = statistics.median(started["bare"]["init"]), statistics.median(slow["bare"])
    libraries = statistics.median(started["three"]["init"]) - bare
    print(
        "Processor ms over the bare runtime's"
        f" ({bare:.0f}); importing pydantic, redis and psycopg alone takes {libraries:.0f},"
        f" without bytecode {statistics.median(slow['three']) - bare_slow:.0f}.\n\n"
        "| function | init | ratio to the three | without bytecode | first call over the second |\n"
        "|---|---:|---:|---:|---:|"
    )
    rows = {name: statistics.median(started[name]["init"]) - bare for name in functions}
    for name, init in sorted(rows.items(), key=lambda row: -row[1]):
        first = started[name]["first"][0] - started[name]["second"][0]
        without = statistics.median(slow[name]) - bare_slow
        print(
            f"| {name.removesuffix('Function')} | {init:.0f} | {init / libraries:.2f} | {without:.0f} | {first:.0f} |"
        )


def _start(built: Built, handler: str, variables: Mapping[str, str], events: list[bytes]) -> list[float]:
    """Processor ms of a new process: until it requests an event, then for each of `events`."""
    with _runtime_api(events) as (address, processor_time):
        environment = {
            **variables,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": built.path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_NAME": handler,
            "LAMBDA_TASK_ROOT": str(built.task),
        }
        # -S: without this machine's site-packages.
        process = subprocess.Popen(
            [sys.executable, "-S", "-m", "awslambdaric", handler],
            env=environment,
            cwd=built.task,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return processor_time(process)
        finally:
            process.kill()
            process.wait()


@contextmanager
def _runtime_api(events: list[bytes]) -> Iterator[tuple[str, "_ProcessorTime"]]:
    processor_time = _ProcessorTime(events)

    class RuntimeApi(BaseHTTPRequestHandler):
        """https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            event = processor_time.next()
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
                processor_time.fail(body.decode())
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}", processor_time
        finally:
            server.shutdown()


class _ProcessorTime:
    """The processor time of a process, read whenever it requests an event."""

    def __init__(self, events: list[bytes]) -> None:
        self._events = iter(events)
        self._marks = [0.0]
        self._pid: int | None = None
        self._pid_known = threading.Event()
        self._over = threading.Event()
        self._failure = ""

    def __call__(self, process: "subprocess.Popen[bytes]") -> list[float]:
        self._pid = process.pid
        self._pid_known.set()
        if not self._over.wait(START_TIMEOUT) or self._failure:
            raise SystemExit(f"{process.args!r} did not start: {self._failure or 'timeout'}")
        return [later - earlier for earlier, later in zip(self._marks, self._marks[1:], strict=False)]

    def next(self) -> bytes | None:
        """The next event; None if there are no more."""
        self._pid_known.wait()
        # Linux counts in ns; psutil has ticks of 10 ms. https://docs.kernel.org/scheduler/sched-stats.html
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
