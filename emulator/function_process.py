"""The process of an execution environment: a new interpreter, or one forked from a fork server."""

import asyncio
import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from emulator.memory_watch import descendants

FUNCTION_SIDE = Path(__file__).with_name("function_side")
_DRAIN_READS = 256  # at most 16 MiB: a function may never stop writing
_STATUS = 1.0  # seconds to wait for the exit status of a process that has ended
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Listener(Protocol):
    """Receives the events of a process."""

    def output_received(self, data: bytes) -> None: ...
    def output_closed(self) -> None: ...
    def process_exited(self, status: int) -> None: ...  # as in subprocess: negative is a signal


@dataclass(frozen=True)
class Command:
    """What a process runs."""

    handler: str
    code: Path  # its working directory
    variables: Mapping[str, str]  # its whole environment
    debug_port: int | None = None


class FunctionProcess(ABC):
    """A running process with its own process group."""

    pid: int

    @abstractmethod
    def is_alive(self) -> bool:
        """Asks the kernel: the event loop may not know yet that it ended."""

    def kill_tree(self) -> None:
        """Kills the process and all its descendants."""
        for member in list(descendants(self.pid))[1:]:  # a descendant may have left the group
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # already ended
            os.killpg(self.pid, signal.SIGKILL)


class Output(asyncio.Protocol):
    """Reads a process's output."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.ReadTransport | None = None
        self._abandoned = False

    @classmethod
    async def open(cls, listener: Listener) -> "tuple[Output, int]":
        """Returns the output and the descriptor to write to, which the caller closes."""
        reading, writing = os.pipe()
        file = os.fdopen(reading, "rb", 0)
        _, output = await asyncio.get_running_loop().connect_read_pipe(lambda: cls(listener), file)
        return output, writing

    def drain(self) -> None:
        """Reads what is in the pipe: output written before a response may arrive after it."""
        file = (
            None if self._transport is None or self._transport.is_closing() else self._transport.get_extra_info("pipe")
        )
        if file is None or file.closed:
            return
        with contextlib.suppress(OSError):  # empty: the pipe does not block
            for _ in range(_DRAIN_READS):
                data = os.read(file.fileno(), 65_536)
                if not data:
                    return
                self._listener.output_received(data)

    def close(self) -> None:
        """Stops reading: a descendant that still runs may keep the pipe open forever."""
        if self._transport is not None:
            self._transport.close()

    def abandon(self) -> None:
        """Closes it without calling the listener: no process writes to it."""
        self._abandoned = True
        self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.ReadTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._listener.output_received(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self._abandoned:
            self._listener.output_closed()


class _FreshProcess(FunctionProcess, asyncio.SubprocessProtocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)  # uvloop's has the same methods
        self.pid = self._transport.get_pid()

    def process_exited(self) -> None:
        transport = self._transport
        status = (transport.get_returncode() if transport is not None else None) or 0
        self._listener.process_exited(status)

    def is_alive(self) -> bool:
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False  # ended, and already reaped


async def start_fresh(
    interpreter: str, command: Command, listener: Listener, output: int, runtime: socket.socket | None
) -> FunctionProcess:
    """A new interpreter. `runtime` is its end of the socket, None where it uses HTTP. Raises OSError."""
    numbers = [None if runtime is None else runtime.fileno(), command.debug_port]
    words = [interpreter, "-c", load_script(), str(FUNCTION_SIDE), "boot", command.handler]
    words += ["-" if number is None else str(number) for number in numbers]
    if command.debug_port:
        words[1:1] = ["-X", "frozen_modules=off"]  # debugpy warns about them
    emulator = os.getpid()
    _, process = await asyncio.get_running_loop().subprocess_exec(
        lambda: _FreshProcess(listener),
        *words,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=command.code,
        env=command.variables,
        start_new_session=True,
        pass_fds=[] if runtime is None else [runtime.fileno()],
        preexec_fn=lambda: exit_with_emulator(emulator),
    )
    return process


def load_script() -> str:
    """What `python -c` runs."""
    return (FUNCTION_SIDE / "load.py").read_text()


def exit_with_emulator(emulator: int) -> None:
    """Runs in the child before exec: the kernel kills the child when the emulator ends, even by SIGKILL."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != emulator:  # the emulator ended before the line above
        os._exit(1)


class ForkedProcess(FunctionProcess):
    """A child of a fork server. A pidfd shows whether it runs; the server reports its exit status."""

    def __init__(self, pid: int, pidfd: int, listener: Listener) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._listener = listener
        self._exited = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pidfd, self._ended)

    def is_alive(self) -> bool:
        if self._exited:
            return False
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    def exited(self, status: int) -> None:
        """Called when the server reports that it ended."""
        if not self._exited:
            self._exited = True
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._listener.process_exited(status)

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._loop.call_later(_STATUS, self.exited, -signal.SIGKILL)  # if the server does not report a status in time
