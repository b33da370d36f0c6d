"""What every service has in common: a port, a process, a check that it answers."""

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Any, ClassVar

from emulator.ports import HOST, release_claim
from emulator.processes import Child, Roster
from emulator.stack import StackError


class Service(ABC):
    """One service on this machine: ours, with a process, or an existing one that an address names."""

    name: ClassVar[str]
    preferred_port: ClassVar[int]
    address_variable: ClassVar[str]  # the environment variable that names an existing one
    option_names: ClassVar[frozenset[str]] = frozenset()
    stop_signal: ClassVar[Signals] = SIGTERM
    slow_to_prepare: ClassVar[bool] = False  # others are started before it

    def __init__(
        self, options: Mapping[str, Any], folder: Path, port: int, log: Path, roster: Roster, address: str | None = None
    ) -> None:
        unknown = set(options) - self.option_names - {"port"}
        if unknown:
            raise StackError(f"emulator.toml: services.{self.name} has no option {', '.join(sorted(unknown))}")
        self.options = options
        self.folder = folder  # its own, for its data
        self.port = port
        self.log = log
        self.address = address
        self._roster = roster
        self.child: Child | None = None
        self.restarts = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    def prepare(self, tell: Callable[[str], None]) -> None:  # noqa: B027 - most have nothing to prepare
        """Whatever must be done before the first start; `tell` takes a word about what is slow."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The process to run, in the foreground."""

    def environment(self) -> Mapping[str, str] | None:
        """Its environment; None is ours."""
        return None

    def before_exec(self) -> Callable[[], None] | None:
        """What its process does in place of ours before the command replaces it; None is nothing."""
        return None

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves requests now, asked in its own protocol. Takes well under a second."""

    def populate(self) -> None:  # noqa: B027 - most have nothing to make
        """Makes what is to exist in it (a database, topics) and does not yet."""

    def spawn(self) -> None:
        """Starts the process; nothing where an address names an existing service. Call it from the main thread."""
        if self.address is None:
            self.child = Child(
                self.name,
                self.command(),
                log=self.log,
                roster=self._roster,
                environment=self.environment(),
                stop_signal=self.stop_signal,
                before_exec=self.before_exec(),
            )

    def wait_ready(self, seconds: float = 60) -> None:
        """Returns when it answers and is populated; raises StackError when it died or the time is up."""
        deadline = time.monotonic() + seconds
        while not (self._listens() and self.answers()):
            if self.child and self.child.exit_code is not None:
                raise StackError(f"{self.name} ended with {self.child.exit_code}:\n{self.child.last_lines()}")
            if time.monotonic() > deadline:
                where = "" if self.child is None else f":\n{self.child.last_lines()}"
                raise StackError(f"{self.name} at {self.url} did not answer within {seconds:g} s{where}")
            time.sleep(0.01)
        release_claim(self.port)
        self.populate()

    def _listens(self) -> bool:
        """Cheaper to ask than `answers`: asking that in a loop would take a core from those that start."""
        if self.address:
            return True
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kills the process as the machine's end would, for tests of what follows."""
        if self.child:
            self.child.kill()
