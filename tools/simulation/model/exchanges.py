"""Every exchange of a service with a store or another party is a place where it can die.

A `Container` stands for one warm Lambda environment. What it sends passes `exchange`, which may let the container die
before or after, lose the request or its answer, or let something else happen first. A dead container sends nothing any
more, as after kill -9: its `finally` and `except` blocks run in Python, but whatever they try to send dies, too.
"""

import socket
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import httpx
import psycopg
import redis

from common.stores.postgres import Connection, Database
from common.stores.redis import Client, connect

ResultT = TypeVar("ResultT")
SERVICES = tuple(str(Path(__file__).parents[3] / folder) for folder in ("functions", "layers"))


class Died(BaseException):
    """The process is gone. No handler of the product's may catch it."""


class Kind(StrEnum):
    DIES_BEFORE = "dies before it is sent"
    DIES_AFTER = "dies before its answer"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    MEANWHILE = "meanwhile"


@dataclass(frozen=True)
class Fault:
    """At the `at`-th exchange of an operation, from 0. `what` says what happens MEANWHILE."""

    kind: Kind
    at: int
    what: str = ""


class Fate:
    """The fault that awaits the operation under way, and what has struck so far."""

    def __init__(self, meanwhile: Callable[[str], None]) -> None:
        self._meanwhile = meanwhile
        self._fault: Fault | None = None
        self._passed = 0
        self.struck: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self.exchanges: Counter[tuple[str, str]] = Counter()  # by service and party

    def await_(self, fault: Fault | None) -> "Fault | None":
        """What awaited before, so that it can be put back."""
        before, self._fault, self._passed = self._fault, fault, 0
        return before

    def exchange(self, container: "Container", party: "Party", call: Callable[[], ResultT]) -> ResultT:
        if container.dead:
            raise Died
        self.exchanges[type(container).__name__, party.name] += 1
        fault = self._fault
        due = fault is not None and fault.at == self._passed
        self._passed += 1
        if fault is None or not due:
            return call()
        self._fault = None
        self.struck[f"{party.name}: {fault.kind}{' ' if fault.what else ''}{fault.what}"] += 1
        self.places[f"{_place()} {fault.kind}"] += 1
        match fault.kind:
            case Kind.DIES_BEFORE:
                container.die()
            case Kind.DIES_AFTER:
                with suppress(Exception):  # of an answer that nobody hears
                    call()
                container.die()
            case Kind.REQUEST_LOST:
                raise party.away()
            case Kind.ANSWER_LOST:
                with suppress(Exception):
                    call()
                raise party.away()
            case Kind.MEANWHILE:
                self._meanwhile(fault.what)
        return call()


def _place() -> str:
    """Where in the product the exchange is made: `payment_store.succeed`."""
    frame = sys._getframe()
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if name.startswith(SERVICES) and not name.endswith(("/postgres.py", "/redis.py")):
            return f"{Path(name).stem}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "?"


@dataclass(frozen=True)
class Party:
    name: str
    away: Callable[[], Exception]


class Container:
    """A warm environment of a service: its own connections, gone when it dies."""

    def __init__(self, fate: Fate, conninfo: str, redis_url: str) -> None:
        self._fate = fate
        self.dead = False
        self.database = _Database(conninfo, self)
        self.redis: Client = connect(redis_url, cluster=False)
        self.redis.execute_command = self.mortal("Redis", self.redis.execute_command, _redis_away)  # type: ignore[method-assign]

    def die(self) -> None:
        self.dead = True
        raise Died

    def mortal(self, party: str, call: Callable[..., ResultT], away: Callable[[], Exception]) -> Callable[..., ResultT]:
        """`call`, as an exchange."""
        known = Party(party, away)
        return lambda *args, **kwargs: self._fate.exchange(self, known, lambda: call(*args, **kwargs))

    def bury(self) -> None:
        """What the machine does after a process: its sockets are closed, and nothing is said."""
        self.dead = True
        self.database.hang_up()
        self.redis.close()


class _Database(Database):
    """Every message to Postgres is an exchange: BEGIN, COMMIT, statements, savepoints."""

    def __init__(self, conninfo: str, container: Container) -> None:
        super().__init__(conninfo)
        self._container = container
        self.gone: list[int] = []  # backends that may not know it yet

    def _connect(self) -> Connection:
        known = self._connection
        if known is None or known.closed:
            known = super()._connect()
            known.wait = self._container.mortal("Postgres", known.wait, self._away)  # type: ignore[method-assign]
        return known

    def _away(self) -> Exception:
        self.hang_up()
        return psycopg.OperationalError("the connection was lost")

    def hang_up(self) -> None:
        """Without a goodbye, as a machine that is gone."""
        connection = self._connection
        if connection is None or connection.closed:
            return
        self.gone.append(connection.info.backend_pid)
        with socket.socket(fileno=connection.fileno()) as wire:
            wire.shutdown(socket.SHUT_RDWR)
            wire.detach()
        connection.pgconn.finish()


def _redis_away() -> Exception:
    return redis.ConnectionError("the connection was lost")


def portone_away() -> Exception:
    return httpx.ReadTimeout("no answer")
