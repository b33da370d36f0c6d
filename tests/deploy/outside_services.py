"""What a deployed stack depends on: Postgres, Redis, Kafka, AWS's APIs and the outside world.

As emulator.toml declares them, at an address of this machine that the functions can reach.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulator import config, services
from emulator.ports import HOST, free_port
from emulator.processes import Child, ProcessRegistry

ROOT = Path(__file__).parents[2]
REGION = "ap-northeast-2"
KEYS = {"AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
SAM = ROOT / ".sam-venv" / "bin" / "sam"
ARCHITECTURE = {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
BUILT = ROOT / ".aws-sam" / ("" if ARCHITECTURE == "arm64" else ARCHITECTURE) / "build"


class CannotStart(Exception):
    """Something cannot start here; the message is one line."""


@dataclass(frozen=True)
class OutsideServices:
    """Running stores, and the values for the template's parameters."""

    folder: Path  # of this run: logs, data, secrets.json and stack.json
    values: Mapping[str, str]  # what emulator.toml's placeholders stand for
    children: "Children"

    def parameters(self, **more: str) -> list[str]:
        """The template's parameters, as `--parameter-overrides` takes them."""
        declared = config.load(ROOT).parameters
        return [f"{name}={value}" for name, value in {**config.fill_all(declared, self.values), **more}.items()]

    def seed(self, aws_url: str) -> None:
        """Secrets, schema, accounts and an event on sale: emulator.toml's steps."""
        values = {**self.values, "aws.url": aws_url}
        for step in config.load(ROOT).steps:
            command = [sys.executable, *(config.fill(word, values) for word in step.command[1:])]
            environment = {**os.environ, **config.fill_all(step.environment, values), **KEYS}
            subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120)

    def start_sandbox(self, webhook_url: str) -> None:
        """PortOne and the other outside services, which send their webhooks to `webhook_url`."""
        port = self.values["sandbox.port"]
        command = [sys.executable, "-m", "local.sandbox", "--port", port, "--webhook-url", webhook_url]
        self.children.start("sandbox", command)


class Children:
    """Processes that end with this one, each with its log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registry = ProcessRegistry(folder / "children.json")
        self._running: list[Child] = []

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path = ROOT
    ) -> Child:
        log = self._folder / "logs" / f"{name}.log"
        variables = {**os.environ, **(environment or {})}
        child = Child(name, command, log=log, registry=self._registry, environment=variables, folder=folder)
        self._running.append(child)
        return child

    def stop(self) -> None:
        """Stops all, the last first."""
        while self._running:
            self._running.pop().stop()


@contextmanager
def start_outside_services(
    folder: Path, *, aws: bool, seen_at: str = HOST, also_forwarded: Sequence[int] = ()
) -> Iterator[OutsideServices]:
    """Starts the services, `aws` (moto) only if wanted, and ends everything.

    `seen_at` is this machine's address as the functions see it: the services' ports there, and those of
    `also_forwarded`, are forwarded to 127.0.0.1.
    """
    declared = config.load(ROOT)
    wanted = {name: {**options} for name, options in declared.services.items() if aws or name != "aws"}
    ports: dict[str, int] = {}
    for name in (*wanted, *(process.name for process in declared.processes)):
        ports[name] = free_port(exclude=frozenset((*ports.values(), *also_forwarded)))
    for name, options in wanted.items():
        options["port"] = ports[name]
    wanted["kafka"]["advertised"] = seen_at
    with ExitStack() as started:
        children = Children(folder)
        started.callback(children.stop)
        if seen_at != HOST:
            forwarded = map(str, (*ports.values(), *also_forwarded))
            children.start(
                "port-forwarding", [sys.executable, "-m", "tests.deploy.port_forwarding", seen_at, *forwarded]
            )
        running = started.enter_context(services.start(wanted, folder))
        values = {"state": str(folder), "project": str(ROOT), "postgres.database": "ticketing"}
        for name, port in ports.items():
            values |= {f"{name}.host": seen_at, f"{name}.port": str(port), f"{name}.url": f"http://{seen_at}:{port}"}
        values["kafka.bootstrap"] = f"{seen_at}:{ports['kafka']}"
        values["redis.url"] = f"redis://{seen_at}:{ports['redis']}/0"
        values["postgres.url"] = running.postgres
        yield OutsideServices(folder, values, children)
