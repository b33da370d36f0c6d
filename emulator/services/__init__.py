"""Postgres, Redis, Kafka and AWS on this machine, from pip wheels: no Docker, no root, no setup.

    with services.start({"postgres": {"database": "app"}, "redis": {}}, folder) as running:
        connect(running.postgres)

A service whose URL an environment variable gives (EMULATOR_POSTGRES_URL, EMULATOR_REDIS_URL, EMULATOR_KAFKA_BOOTSTRAP,
EMULATOR_AWS_URL) is used, not started.
"""

import os
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from emulator.ports import free_port
from emulator.processes import ProcessRegistry
from emulator.progress import Report, Step, silent
from emulator.services.apache_kafka import ApacheKafka
from emulator.services.aws import Aws
from emulator.services.kafka import Kafka
from emulator.services.postgres import Postgres
from emulator.services.redis import Redis
from emulator.services.service import Service
from emulator.stack import StackError

__all__ = ["Running", "Service", "start"]

KINDS: Mapping[str, type[Service]] = {"postgres": Postgres, "redis": Redis, "kafka": Kafka, "aws": Aws}


class Running:
    """Running services, as a context manager. `close` stops those that were started here."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services

    @property
    def postgres(self) -> str:
        """The superuser's URL: postgresql://postgres@127.0.0.1:15432/database."""
        return self["postgres"].url

    @property
    def redis(self) -> str:
        """redis://127.0.0.1:16379/0."""
        return self["redis"].url

    @property
    def kafka(self) -> list[str]:
        """The bootstrap servers, ["127.0.0.1:19092"]."""
        return self["kafka"].url.split(",")

    @property
    def aws(self) -> str:
        """The endpoint of every AWS API, http://127.0.0.1:14566."""
        return self["aws"].url

    def __getitem__(self, name: str) -> Service:
        try:
            return self._services[name]
        except KeyError:
            raise StackError(f"{name} is not among the services of emulator.toml") from None

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())

    def close(self) -> None:
        """Stops all that were started here, at the same time, and returns when they have ended."""
        children = [service.child for service in self if service.child]
        for child in children:
            child.request_stop()
        deadline = time.monotonic() + 10
        for child in children:
            child.finish(max(0.1, deadline - time.monotonic()))

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def launch(
    wanted: Mapping[str, Mapping[str, Any]],
    state: Path,
    *,
    preferred_ports: bool = False,
    exclude: frozenset[int] = frozenset(),
    report: Report = silent,
) -> Running:
    """Starts the processes and returns at once; call `await_ready` next. Call it from the main thread."""
    registry = ProcessRegistry(state / "services.json")
    services: dict[str, Service] = {}
    for name, options in wanted.items():
        service = _make(name, options, state, registry, preferred_ports, exclude)
        exclude |= {service.port}
        services[name] = service
    running = Running(services)
    try:
        for service in sorted(running, key=lambda one: one.slow_to_prepare):
            report(Step(service.name, "begun"))
            if service.address is None:
                service.prepare(partial(_note, report, service.name))
                service.spawn()
    except BaseException:
        running.close()
        raise
    return running


def await_ready(running: Running, report: Report = silent) -> None:
    """Returns when all are ready. Raises StackError; the caller then closes `running`."""
    for service in sorted(running, key=lambda one: isinstance(one, Aws)):  # the slowest last
        service.wait_ready()
        report(Step(service.name, "done", service.url))


def start(wanted: Mapping[str, Mapping[str, Any]], state: Path, **options: Any) -> Running:
    """Starts `{name: options}` (postgres, redis, kafka, aws) with their data in `state`; returns when all are ready.

    They use free ports, or with `preferred_ports` the usual ones. Raises StackError if one does not start; then none is
    left running.
    """
    ProcessRegistry(state / "services.json").kill_leftovers()
    running = launch(wanted, state, **options)
    try:
        await_ready(running, options.get("report", silent))
    except BaseException:
        running.close()
        raise
    return running


def _note(report: Report, name: str, text: str) -> None:
    report(Step(name, "note", text))


def _make(
    name: str,
    options: Mapping[str, Any],
    state: Path,
    registry: ProcessRegistry,
    preferred: bool,
    exclude: frozenset[int],
) -> Service:
    try:
        kind = KINDS[name]
    except KeyError:
        raise StackError(f"emulator.toml: there is no service {name}, only {', '.join(KINDS)}") from None
    if kind is Kafka:
        kind = _kafka_kind(os.environ.get("EMULATOR_KAFKA") or options.get("broker") or "tansu")
    port = free_port(options.get("port") or (kind.preferred_port if preferred else None), exclude=exclude)
    log = state / "logs" / f"{name}.log"
    return kind(options, state / name, port, log, registry, os.environ.get(kind.address_variable) or None)


def _kafka_kind(broker: str) -> type[Kafka]:
    kinds: Mapping[str, type[Kafka]] = {"tansu": Kafka, "apache": ApacheKafka}
    if broker not in kinds:
        raise StackError(f"there is no Kafka broker {broker} (EMULATOR_KAFKA), only {' and '.join(kinds)}")
    return kinds[broker]
