"""The commands that a project declares in emulator.toml: steps that run once, and processes that keep running."""

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
        """Where it listens; "" if it does not."""
        return f"http://{HOST}:{self.port}" if self.port else ""

    def spawn(self) -> None:
        """Starts it; call `wait_ready` next."""
        self.child = _start(self._process, self._values, self._state, self._folder)

    def wait_ready(self, seconds: float = 30) -> None:
        """Returns when it serves; raises StackError if it ended or the time is over."""
        deadline = time.monotonic() + seconds
        while not self._is_ready():
            assert self.child
            if self.child.exit_code is not None:
                raise StackError(f"{self.name} ended with {self.child.exit_code}:\n{self.child.last_lines()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready within {seconds:g} s:\n{self.child.last_lines()}")
            time.sleep(0.01)

    def _is_ready(self) -> bool:
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
    """One command that runs to its end. Call `spawn` early, `run` when it is next, `close` in any case."""

    def __init__(self, step: Step, values: Mapping[str, str], state: State, folder: Path) -> None:
        self.name = step.name
        self._step = step
        self._values = values
        self._state = state
        self._folder = folder
        self._child: Child | None = None
        self._start_pipe = -1

    def spawn(self) -> None:
        """Starts a Python module, which imports and then waits; other commands start in `run`. Call it from the main
        thread."""
        if list(self._step.command[:2]) == ["python", "-m"]:
            waiting_end, self._start_pipe = os.pipe()
            command = ["python", str(Path(__file__).with_name("warm_start.py")), *self._step.command[2:]]
            warm = replace(self._step, command=command)
            self._child = _start(warm, self._values, self._state, self._folder, stdin=waiting_end)
            os.close(waiting_end)

    async def run(self) -> None:
        """Returns at its end; raises StackError with its last lines if it fails. Call it from the main thread."""
        if self._child is None:
            self._child = _start(self._step, self._values, self._state, self._folder)
        else:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._start_pipe, b"!")
        try:
            while self._child.exit_code is None:  # noqa: ASYNC110 - no event is set when a process ends
                await asyncio.sleep(0.01)
            if self._child.exit_code:
                raise StackError(f"{self.name} failed with {self._child.exit_code}:\n{self._child.last_lines()}")
        finally:
            self.close()

    def close(self) -> None:
        """Kills it if it still runs."""
        if self._child:
            self._child.kill()
        if self._start_pipe >= 0:
            os.close(self._start_pipe)
        self._child, self._start_pipe = None, -1


def _start(
    command: Step | Process, values: Mapping[str, str], state: State, folder: Path, stdin: int = subprocess.DEVNULL
) -> Child:
    base = python_environment(os.environ, state.bytecode)
    return Child(
        command.name,
        _command([fill(word, values) for word in command.command]),
        log=state.logs / f"{command.name}.log",
        registry=state.process_registry,
        environment={**base, **fill_all(command.environment, values)},
        folder=folder,
        stdin=stdin,
    )


def _command(words: Sequence[str]) -> Sequence[str]:
    return [sys.executable, *words[1:]] if words[0] == "python" else words
