"""The commands that a project declares in emulator.toml: steps that run once, and processes that stay."""

import asyncio
import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from emulator.config import Process, Step, fill, fill_all
from emulator.ports import HOST
from emulator.processes import Child, python_environment
from emulator.stack import StackError
from emulator.state import State


class ProjectProcess:
    """One long-running process of the project."""

    def __init__(
        self, process: Process, port: int | None, values: Mapping[str, str], state: State, folder: Path
    ) -> None:
        self.name = process.name
        self.port = port
        self.child: Child | None = None
        self.restarts = 0
        self._process = process
        self._values = {**values, "port": str(port)} if port else values
        self._state = state
        self._folder = folder

    @property
    def url(self) -> str:
        """Where it listens, "" where it does not."""
        return f"http://{HOST}:{self.port}" if self.port else ""

    def spawn(self) -> None:
        """Starts it; `wait_ready` is to follow."""
        self.child = _start(self._process, self._values, self._state, self._folder)

    def wait_ready(self, seconds: float = 30) -> None:
        """Returns when it serves; raises StackError when it ended or the time is up."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            assert self.child
            if self.child.exit_code is not None:
                raise StackError(f"{self.name} ended with {self.child.exit_code}:\n{self.child.last_lines()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready within {seconds:g} s:\n{self.child.last_lines()}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        if self.port is None:
            return True
        try:
            if self._process.ready is None:
                socket.create_connection((HOST, self.port), timeout=1).close()
                return True
            connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
            try:
                connection.request("GET", self._process.ready)
                return 200 <= connection.getresponse().status < 300
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return False


class ProjectStep:
    """One command that runs to its end. `spawn` it early, `run` it when its turn comes, `close` it in any case."""

    def __init__(self, step: Step, values: Mapping[str, str], state: State, folder: Path) -> None:
        self.name = step.name
        self._step = step
        self._values = values
        self._state = state
        self._folder = folder
        self._child: Child | None = None
        self._go = -1

    def spawn(self) -> None:
        """Lets a Python module import what it needs, and wait; other commands start in `run`. From the main thread."""
        if list(self._step.command[:2]) == ["python", "-m"]:
            waits, self._go = os.pipe()
            command = ["python", str(Path(__file__).with_name("warm_start.py")), *self._step.command[2:]]
            warm = replace(self._step, command=command)
            self._child = _start(warm, self._values, self._state, self._folder, stdin=waits)
            os.close(waits)

    async def run(self) -> None:
        """Returns at its end; raises StackError with its last lines when it fails. From the main thread."""
        if self._child is None:
            self._child = _start(self._step, self._values, self._state, self._folder)
        else:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._go, b"!")
        try:
            while self._child.exit_code is None:  # noqa: ASYNC110 - a process ends without telling any event
                await asyncio.sleep(0.01)
            if self._child.exit_code:
                raise StackError(f"{self.name} failed with {self._child.exit_code}:\n{self._child.last_lines()}")
        finally:
            self.close()

    def close(self) -> None:
        """Kills it if it still runs."""
        if self._child:
            self._child.kill()
        if self._go >= 0:
            os.close(self._go)
        self._child, self._go = None, -1


def _start(
    command: Step | Process, values: Mapping[str, str], state: State, folder: Path, stdin: int = subprocess.DEVNULL
) -> Child:
    base = python_environment(os.environ, state.bytecode)
    return Child(
        command.name,
        _command([fill(word, values) for word in command.command]),
        log=state.logs / f"{command.name}.log",
        roster=state.process_roster,
        environment={**base, **fill_all(command.environment, values)},
        folder=folder,
        stdin=stdin,
    )


def _command(words: Sequence[str]) -> Sequence[str]:
    return [sys.executable, *words[1:]] if words[0] == "python" else words
