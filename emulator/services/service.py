"""The base of all services: a port, a process, a readiness check."""

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Any, ClassVar

from emulator.ports import HOST, release_claim
from emulator.processes import Child, ProcessRegistry
from emulator.stack import StackError


class Service(ABC):
    """One service on this machine: started here, with a process, or an existing one at an address."""

    name: ClassVar[str]
    preferred_port: ClassVar[int]
    address_variable: ClassVar[str]  # the environment variable with the address of an existing one
    option_names: ClassVar[frozenset[str]] = frozenset()
    stop_signal: ClassVar[Signals] = SIGTERM
    slow_to_prepare: ClassVar[bool] = False  # others are started before it

    def __init__(
        self,
        options: Mapping[str, Any],
        folder: Path,
        port: int,
        log: Path,
        registry: ProcessRegistry,
        address: str | None = None,
    ) -> None:
        unknown = set(options) - self.option_names - {"port"}
        if unknown:
            raise StackError(f"emulator.toml: services.{self.name} has no option {', '.join(sorted(unknown))}")
        self.options = options
        self.folder = folder  # for its data
        self.port = port
        self.log = log
        self.address = address
        self._registry = registry
        self.child: Child | None = None
        self.restarts = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    def prepare(self, report: Callable[[str], None]) -> None:  # noqa: B027 - most have nothing to prepare
        """Work before the first start; `report` takes a note about what is slow."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The process to run, in the foreground."""

    def environment(self) -> Mapping[str, str] | None:
        """Its environment; None means this process's."""
        return None

    def before_exec(self) -> Callable[[], None] | None:
        """What its process calls before exec, or None."""
        return None

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it serves requests now, checked in its own protocol. Takes well under a second."""

    def populate(self) -> None:  # noqa: B027 - most have nothing to create
        """Creates what it should contain (a database, topics) if it is missing."""

    def spawn(self) -> None:
        """Starts the process, unless the service is an existing one. Call it from the main thread."""
        if self.address is None:
            self.child = Child(
                self.name,
                self.command(),
                log=self.log,
                registry=self._registry,
                environment=self.environment(),
                stop_signal=self.stop_signal,
                before_exec=self.before_exec(),
            )

    def wait_ready(self, seconds: float = 60) -> None:
        """Returns when it answers and is populated. Raises StackError if its process ended or the time is over."""
        deadline = time.monotonic() + seconds
        while not (self._listens() and self.is_ready()):
            if self.child and self.child.exit_code is not None:
                raise StackError(f"{self.name} ended with {self.child.exit_code}:\n{self.child.last_lines()}")
            if time.monotonic() > deadline:
                where = "" if self.child is None else f":\n{self.child.last_lines()}"
                raise StackError(f"{self.name} at {self.url} did not answer within {seconds:g} s{where}")
            time.sleep(0.01)
        release_claim(self.port)
        self.populate()

    def _listens(self) -> bool:
        """Cheaper than `is_ready`, which in a loop would take a processor from the services that start."""
        if self.address:
            return True
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kills the process, for tests of a crash."""
        if self.child:
            self.child.kill()
