"""A fault can be injected at every exchange of a service with a store or another party.

An `Environment` is one warm execution environment. Everything it sends passes `exchange`, which can crash it before or
after, lose the request or the response, or do something else first. A crashed environment sends nothing any more, as
after kill -9: its `finally` and `except` blocks still run in Python, but each exchange in them raises `Crashed`.
"""

import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import psycopg
import redis

from common.stores.postgres import Connection, Database
from common.stores.redis import Client, connect
from tools.simulation.model.turns import Turn

ResultT = TypeVar("ResultT")
SERVICES = tuple(str(Path(__file__).parents[3] / folder) for folder in ("functions", "layers"))


class Crashed(BaseException):
    """The process has crashed. A BaseException, so that the product's code does not catch it."""


class Kind(StrEnum):
    CRASH_BEFORE = "crash before the request"
    CRASH_AFTER = "crash before the response"
    REQUEST_LOST = "request lost"
    RESPONSE_LOST = "response lost"
    MEANWHILE = "meanwhile"


@dataclass(frozen=True)
class Fault:
    """A fault at the `at`-th exchange of an operation, from 0. For MEANWHILE, `what` names what happens."""

    kind: Kind
    at: int
    what: str = ""


class _Operation(threading.local):
    """The operation of this thread: its fault, how many exchanges it has passed, and its turn if two run at once."""

    fault: Fault | None = None
    passed = 0
    turn: Turn | None = None


class FaultInjector:
    """Injects the fault that is set for the current operation. Counts faults and exchanges."""

    def __init__(self, meanwhile: Callable[[str], None]) -> None:
        self._meanwhile = meanwhile
        self._operation = _Operation()
        self.injected: Counter[str] = Counter()
        self.code_locations: Counter[str] = Counter()
        self.exchanges: Counter[tuple[str, str]] = Counter()  # by service and party

    def set_fault(self, fault: Fault | None) -> "Fault | None":
        """Returns the previous fault, so that the caller can restore it."""
        before, self._operation.fault, self._operation.passed = self._operation.fault, fault, 0
        return before

    def set_turn(self, turn: Turn | None) -> Turn | None:
        """From now on, the exchanges of this thread wait for their turn. Returns the previous one."""
        before, self._operation.turn = self._operation.turn, turn
        return before

    def at_turn(self, call: Callable[[], ResultT]) -> ResultT:
        """What `call` returns, which passes by the services but waits for its turn."""
        return call() if self._operation.turn is None else self._operation.turn.exchange(call)

    def exchange(self, environment: "Environment", party: "Party", call: Callable[[], ResultT]) -> ResultT:
        if environment.crashed:
            raise Crashed
        return self.at_turn(lambda: self._exchange(environment, party, call))

    def _exchange(self, environment: "Environment", party: "Party", call: Callable[[], ResultT]) -> ResultT:
        operation = self._operation
        self.exchanges[type(environment).__name__, party.name] += 1
        fault = operation.fault
        due = fault is not None and fault.at == operation.passed
        operation.passed += 1
        if fault is None or not due:
            return call()
        operation.fault = None
        self.injected[f"{party.name}: {fault.kind}{' ' if fault.what else ''}{fault.what}"] += 1
        self.code_locations[f"{_code_location()} {fault.kind}"] += 1
        match fault.kind:
            case Kind.CRASH_BEFORE:
                environment.crash()
            case Kind.CRASH_AFTER:
                with suppress(Exception):  # the response is lost anyway
                    call()
                environment.crash()
            case Kind.REQUEST_LOST:
                raise party.error()
            case Kind.RESPONSE_LOST:
                with suppress(Exception):
                    call()
                raise party.error()
            case Kind.MEANWHILE:
                self._meanwhile(fault.what)
        return call()


def _code_location() -> str:
    """The place in the product's code that makes the exchange: `payment_repository.succeed`."""
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
    error: Callable[[], Exception]  # raised if the request or response is lost


class Environment:
    """A warm execution environment of a service, with its own connections."""

    def __init__(self, fault_injector: FaultInjector, conninfo: str, redis_url: str) -> None:
        self._fault_injector = fault_injector
        self.crashed = False
        self.database = _Database(conninfo, self)
        self.redis: Client = connect(redis_url, cluster=False)
        # `connect` returns a wrapper: the commands pass execute_command of the client in it.
        client: Any = cast(Any, self.redis)._made()
        client.execute_command = self.as_exchange("Redis", client.execute_command, _redis_connection_lost)

    def crash(self) -> None:
        self.crashed = True
        raise Crashed

    def as_exchange(
        self, party: str, call: Callable[..., ResultT], error: Callable[[], Exception]
    ) -> Callable[..., ResultT]:
        """Make each call of `call` an exchange with this party."""
        known = Party(party, error)
        return lambda *args, **kwargs: self._fault_injector.exchange(self, known, lambda: call(*args, **kwargs))

    def end(self) -> None:
        """Close the sockets without a goodbye, as the operating system does when a process ends."""
        self.crashed = True
        self.database.cut_connection()
        self.redis.close()


class _Database(Database):
    """Every message to Postgres is an exchange: BEGIN, COMMIT, statements, savepoints."""

    def __init__(self, conninfo: str, environment: Environment) -> None:
        super().__init__(conninfo)
        self._environment = environment
        self.cut_backends: list[int] = []  # Postgres backends that may not have noticed yet

    def _connect(self) -> Connection:
        known = self._connection
        if known is None or known.closed:
            known = super()._connect()
            known.wait = self._environment.as_exchange("Postgres", known.wait, self._lose_connection)  # type: ignore[method-assign]
        return known

    def _lose_connection(self) -> Exception:
        self.cut_connection()
        return psycopg.OperationalError("the connection was lost")

    def cut_connection(self) -> None:
        """Close the socket without a Terminate message, as after a crash."""
        connection = self._connection
        if connection is None or connection.closed:
            return
        self.cut_backends.append(connection.info.backend_pid)
        with socket.socket(fileno=connection.fileno()) as connected:
            connected.shutdown(socket.SHUT_RDWR)
            connected.detach()
        connection.pgconn.finish()


def _redis_connection_lost() -> Exception:
    return redis.ConnectionError("the connection was lost")


def portone_timeout() -> Exception:
    return httpx.ReadTimeout("no response")
