"""Fork servers, seen from the emulator: which ones run, what they preload, when a new process is started instead.

One server for each set of layers. It preloads packages and layers, never a function's own code, which each process
imports under its own environment. What to preload is learned: each process reports what it had to import, and the
state folder keeps the list for the next start. `function_side/fork_server.py` is the server itself.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.function_process import FUNCTION_SIDE, Command, ForkedProcess, Listener, exit_with_emulator, load_script
from emulator.source_watch import SourceWatch
from emulator.stack import Function

_log = logging.getLogger(__name__)

_FORK_TIMEOUT = 1.0  # seconds a fork may take; then a new process is started
_FIRST_BATCH_TIMEOUT = 8.0  # seconds to wait for the server's first modules
_PACKET = 262_144
_MAX_RESTARTS = 8  # of a server, for modules that may not be preloaded
# The interpreter, the C library or OpenSSL read these when a process starts.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_", "SSL_")


class NotForked(Exception):
    """A new process must be started instead; the message says why."""


@dataclass
class _LearnedModules:
    """What functions with one set of layers import, in order."""

    names: dict[str, None] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)  # module -> why it cannot be preloaded


class ForkServers:
    """All fork servers of a runtime."""

    def __init__(
        self,
        interpreter: str,
        state: Path,
        watch: SourceWatch,
        functions: Iterable[Function],
        preload: Sequence[str] = (),
    ) -> None:
        self._interpreter = interpreter
        self._folder = state / "preload"
        self._watch = watch
        self._functions = list(functions)
        self._preload = preload
        self._servers: dict[tuple[Path, ...], _ForkServer] = {}
        self._retired: set[_ForkServer] = set()
        self._learned: dict[tuple[Path, ...], _LearnedModules] = {}
        self._packages = _package_folders(interpreter)
        self._restarts = 0

    def start_early(self, function: Function, variables: Mapping[str, str]) -> None:
        """Starts the server for the function's layers, if it is known what to preload."""
        if self._preload or self._learned_for(function.layers).names:
            with contextlib.suppress(OSError):  # the first call that needs the server reports it
                self._server(function, variables)

    async def fork(
        self, function: Function, command: Command, listener: Listener, output: int, runtime: socket.socket
    ) -> ForkedProcess:
        """A process of the function with its packages loaded. Raises NotForked."""
        server = self._server(function, command.variables)
        for name in command.variables.keys() | server.environment.keys():
            differs = command.variables.get(name) != server.environment.get(name)
            if differs and name.startswith(_READ_AT_START) and name != "PYTHONPATH":
                raise NotForked(f"{name} is read when an interpreter starts")
        return await server.fork(command, listener, output, runtime)

    def report_loaded(self, function: Function, names: Sequence[str]) -> None:
        """Records what a process of the function had to import itself."""
        learned = self._learned_for(function.layers)
        new = [name for name in names if name not in learned.names]
        learned.names.update(dict.fromkeys(new))
        server = self._servers.get(function.layers)
        if new:
            self._save(function.layers, learned)
            if server is not None:
                server.preload([name for name in new if not _is_rejected(name, learned.rejected)])

    def close(self) -> None:
        """Kills the servers, and with them every process that they forked."""
        for server in [*self._servers.values(), *self._retired]:
            server.close()

    def _server(self, function: Function, variables: Mapping[str, str]) -> "_ForkServer":
        layers = function.layers
        signature = self._watch.folders_signature(layers, self._packages)
        server = self._servers.get(layers)
        if server is not None and (server.signature != signature or server.retired or server.ended):
            del self._servers[layers]
            if not server.ended:  # packages or layers changed, or an unsafe import: its processes continue
                server.retire()
                self._retired = {other for other in self._retired if not other.ended} | {server}
            server = None
        if server is None:
            if self._restarts > _MAX_RESTARTS:
                raise NotForked("the fork server ended too often")
            environment = self._common_environment(layers, variables)
            learned = self._learned_for(layers)
            names = dict.fromkeys([*self._preload, *learned.names])
            server = self._servers[layers] = _ForkServer(
                self._interpreter,
                environment,
                signature,
                [name for name in names if not _is_rejected(name, learned.rejected)],
                lambda reason: self._ended(layers, reason),
                self._not_imported,
            )
        return server

    def _ended(self, layers: tuple[Path, ...], unsafe: Mapping[str, str] | None) -> None:
        """Handles a server that ended or stopped forking on its own."""
        self._restarts += 1
        if unsafe is None:
            _log.warning("the fork server ended; a new one starts when it is needed")
            return
        learned = self._learned_for(layers)
        learned.rejected[unsafe["unsafe"]] = unsafe["reason"]
        _log.info("%s is not preloaded: its import changes the %s", unsafe["unsafe"], unsafe["reason"])
        self._save(layers, learned)

    def _not_imported(self, name: str, reason: str) -> None:
        """Warns for modules named in `preload` only: learned ones may need what only the function has."""
        if name in self._preload:
            _log.warning("preload: %s was not imported: %s", name, reason)

    def _common_environment(self, layers: tuple[Path, ...], variables: Mapping[str, str]) -> dict[str, str]:
        """The values of most functions with these layers. If a function has another value, modules that read it are
        imported again."""
        same_layers = [function for function in self._functions if function.layers == layers]
        environment = dict(variables)
        for name in {name for function in same_layers for name in function.environment}:
            values = Counter(function.environment.get(name) for function in same_layers)
            value = values.most_common(1)[0][0]
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        environment["PYTHONPATH"] = os.pathsep.join(str(folder) for folder in layers)
        return environment

    def _learned_for(self, layers: tuple[Path, ...]) -> _LearnedModules:
        if layers not in self._learned:
            content: dict[str, Any] = {}
            with contextlib.suppress(OSError, ValueError):
                content = json.loads(self._file(layers).read_text())
            self._learned[layers] = _LearnedModules(
                dict.fromkeys(content.get("names", [])), dict(content.get("rejected", {}))
            )
        return self._learned[layers]

    def _save(self, layers: tuple[Path, ...], learned: _LearnedModules) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(layers)
        draft = file.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(json.dumps({"names": list(learned.names), "rejected": learned.rejected}, indent=0))
        draft.replace(file)

    def _file(self, layers: tuple[Path, ...]) -> Path:
        text = "\n".join([self._interpreter, *(str(folder) for folder in layers)])
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


class _ForkServer:
    """One server process."""

    def __init__(
        self,
        interpreter: str,
        environment: Mapping[str, str],
        signature: tuple[int, int],
        names: Sequence[str],
        on_end: Callable[[Mapping[str, str] | None], None],
        on_failed_import: Callable[[str, str], None],
    ) -> None:
        self.environment = environment
        self.signature = signature
        self.ended = False
        self._on_end = on_end
        self._on_failed_import = on_failed_import
        self._loop = asyncio.get_running_loop()
        # If nothing has been learned yet, one process goes first and reports what it imports. The others wait until the
        # server has imported it, rather than import all of it themselves.
        self._running, self._first_batch_loaded = asyncio.Event(), asyncio.Event()
        self._batches_left = 1 if names else 2  # before the first learned batch is loaded
        self._first_request: int | None = None  # of the process that goes first
        self._first_pid: int | None = None
        self._waiting: dict[int, tuple[asyncio.Future[ForkedProcess], Listener]] = {}
        self._children: dict[int, ForkedProcess] = {}
        self._count = 0
        self.retired = False
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        output = os.memfd_create("fork-server-output")  # its size shows whether an import prints
        emulator = os.getpid()
        try:
            self._process = subprocess.Popen(
                [interpreter, "-c", load_script(), str(FUNCTION_SIDE), "fork_server", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=environment,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
                preexec_fn=lambda: exit_with_emulator(emulator),
            )
        finally:
            theirs.close()
            os.close(output)
        self._loop.add_reader(self._control.fileno(), self._read)
        self.preload(names)

    def preload(self, names: Sequence[str]) -> None:
        """Imports modules when the server has nothing else to do."""
        self._send({"preload": list(names)})

    async def fork(self, command: Command, listener: Listener, output: int, runtime: socket.socket) -> ForkedProcess:
        """Raises NotForked, and kills a process that is forked too late."""
        self._count += 1
        number = self._count
        is_first = self._batches_left > 1 and self._first_request is None
        if is_first:
            self._first_request = number
        try:
            await self._wait_for(self._running if is_first else self._first_batch_loaded)
            return await self._request(number, command, listener, output, runtime)
        except BaseException:
            if is_first:  # it will report no imports: the others need not wait
                self._first_batch_loaded.set()
            raise

    async def _wait_for(self, event: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(_FIRST_BATCH_TIMEOUT):
                await event.wait()
        except TimeoutError:
            raise NotForked("the fork server is still importing") from None
        if self.ended or self.retired:
            raise NotForked("the fork server has ended")

    async def _request(
        self, number: int, command: Command, listener: Listener, output: int, runtime: socket.socket
    ) -> ForkedProcess:
        future: asyncio.Future[ForkedProcess] = self._loop.create_future()
        self._waiting[number] = future, listener
        request = {
            "fork": number,
            "handler": command.handler,
            "cwd": str(command.code),
            "path": [str(command.code), str(command.code)],  # as `python -c` and PYTHONPATH set it
            "environment": dict(command.variables),
        }
        if not self._send(request, output, runtime.fileno()):
            del self._waiting[number]
            raise NotForked("the fork server is busy")
        try:
            async with asyncio.timeout(_FORK_TIMEOUT):
                return await future
        except TimeoutError:
            raise NotForked(f"the fork server did not answer within {_FORK_TIMEOUT:g} s") from None
        finally:
            future.cancel()

    def retire(self) -> None:
        """Stops forking; the server ends with its last child."""
        self.retired = True
        self._send({"retire": True})

    def close(self) -> None:
        """Kills the server; the kernel kills its children with it."""
        if not self.ended:
            self._end(closing=True)

    def _send(self, message: Mapping[str, Any], *descriptors: int) -> bool:
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], list(descriptors))
        except OSError:
            return False
        return True

    def _read(self) -> None:
        while not self.ended:
            try:
                text, descriptors, _, _ = socket.recv_fds(self._control, _PACKET, 1)
            except BlockingIOError:
                return
            except OSError:
                text, descriptors = b"", []
            if not text:
                self._end()
                return
            self._handle(json.loads(text), descriptors)

    def _handle(self, message: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        if "ready" in message:
            self._running.set()
            self._batches_left -= 1
            if self._batches_left <= 0:
                self._first_batch_loaded.set()
        elif "forked" in message:
            self._handle_forked(message["forked"], message["pid"], descriptors[0])
        elif "not_forked" in message:
            future, _ = self._waiting.pop(message["not_forked"])
            if not future.done():
                future.set_exception(NotForked(message["reason"]))
        elif "failed" in message:
            self._on_failed_import(message["failed"], message["reason"])
        elif "exited" in message:
            if message["exited"] == self._first_pid:
                self._first_batch_loaded.set()  # it may have ended without a report
            process = self._children.pop(message["exited"], None)
            if process is not None:
                process.exited(message["status"])
        elif "unsafe" in message:
            self.retired = True
            self._running.set()
            self._first_batch_loaded.set()
            self._on_end(message)

    def _handle_forked(self, number: int, pid: int, pidfd: int) -> None:
        future, listener = self._waiting.pop(number)
        if future.done():  # the request timed out
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
            return
        if number == self._first_request:
            self._first_pid = pid
        process = self._children[pid] = ForkedProcess(pid, pidfd, listener)
        future.set_result(process)

    def _end(self, closing: bool = False) -> None:
        self.ended = True
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._running.set()
        self._first_batch_loaded.set()
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(NotForked("the fork server ended"))
        for process in list(self._children.values()):  # the kernel kills them with their parent
            process.kill_tree()
            process.exited(-signal.SIGKILL)
        self._children.clear()
        if not closing and not self.retired:
            self._on_end(None)


def _is_rejected(name: str, rejected: Mapping[str, str]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in rejected)


def _package_folders(interpreter: str) -> tuple[Path, ...]:
    """Where that interpreter's packages are installed: the folder changes with each package installed or removed."""
    root = Path(interpreter).parent.parent
    return tuple(root.glob("lib/python*/site-packages"))
