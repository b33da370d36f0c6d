"""One execution environment: a process running AWS's own Python runtime, and the Runtime API it talks to.

Each environment has its own port for the Runtime API: awslambdaric reports init errors to the host and port without a
path, so only the port identifies the environment.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.fork_server import ForkServers, NotForked
from emulator.function_process import Command, FunctionProcess, Output, start_fresh
from emulator.memory_watch import MemoryWatch, peak_mb
from emulator.runtime_api import Connection, RuntimeConnection
from emulator.runtime_socket import RuntimeSocket
from emulator.source_watch import package_folder
from emulator.stack import Function

_log = logging.getLogger(__name__)

LogSink = Callable[[str, str, str], None]  # (function, request id or "", line)

MAX_RESPONSE = 6_291_556  # bytes: 6 MiB + 100
_TAIL = 4096  # bytes of log that an Invoke can request
_LINE = 262_144  # bytes: the limit of a CloudWatch event; longer lines are split
_DEBUGGED = 86_400.0  # seconds an invocation may take while a debugger is attached
_PATHS = "/2018-06-01/runtime/"
_JSON = {"Content-Type": "application/json"}


@dataclass
class Invocation:
    """One event for an environment, and its outcome."""

    payload: bytes
    request_id: str
    trace_id: str
    client_context: str | None
    outcome: "asyncio.Future[InvocationOutcome]"
    qualifier: str | None = None  # the alias or version it was called by
    deadline: float = 0.0  # epoch seconds
    delivered: bool = False


@dataclass(frozen=True)
class InvocationOutcome:
    """The payload that an invocation returned, and whether it is an error document."""

    payload: bytes
    failed: bool = False


class NotDelivered(Exception):
    """The environment ended before it received the event: another one can run it."""


class InitTimeout(Exception):
    """The environment was not ready in time."""


class InitFailed(Exception):
    """The environment did not start; `document` is the error to return."""

    def __init__(self, document: bytes) -> None:
        super().__init__(document)
        self.document = document


@dataclass(frozen=True)
class LaunchSettings:
    """How environments are started on this machine."""

    interpreter: str
    state: Path
    environment: Mapping[str, str]  # over the template's variables
    log: LogSink
    memory: MemoryWatch
    restore: float = 10.0  # seconds for the hooks after a SnapStart restore
    debug: Mapping[str, int] = field(default_factory=dict)  # function -> port its debugger connects to
    forks: ForkServers | None = None  # None: each process is a new interpreter
    http: bool = False  # events and responses go over the HTTP Runtime API, as on Lambda, instead of a socket


def error_document(kind: str, message: str) -> bytes:
    """An error as Lambda reports it when the function cannot."""
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def timeout_document(request_id: str, seconds: float) -> bytes:
    """The error of a function that exceeded its timeout."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return error_document("Sandbox.Timedout", message)


class Environment:
    """A process that handles one event at a time. Call `start`, then `invoke` any number of times while it is `alive`.

    Every failure that ends the process also kills its whole process group.
    """

    def __init__(
        self, function: Function, launch: LaunchSettings, on_end: Callable[["Environment"], None], scratch: Path
    ) -> None:
        self.function = function
        self.scratch = scratch  # its TMPDIR
        self.failed = False  # crash or timeout: Lambda resets such an environment, and keeps its scratch folder
        self.alive = True
        self.ended: asyncio.Future[None] = (
            asyncio.get_running_loop().create_future()
        )  # done when all its processes have ended
        self.started = False
        self.signature: tuple[int, int] = (0, 0)  # of the source files at the start
        self.idle_since = 0.0
        self._launch = launch
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._next_connection: Connection | None = None  # with the runtime's unanswered request "next"
        self._waiting_invocation: Invocation | None = None  # not yet delivered
        self._current: Invocation | None = None
        self._listener: asyncio.Server | None = None
        self._runtime: RuntimeSocket | None = None
        self._process: FunctionProcess | None = None
        self._output: Output | None = None
        self._exited = self._closed = False  # the process, its output
        self._starting = False
        self._unfinished_line = b""
        self._tail = bytearray()
        self._request_id = ""  # of the latest event
        self._restoring: asyncio.TimerHandle | None = None
        self._debug_port = launch.debug.get(function.name)
        self.memory_limit = None if self._debug_port else function.memory_mb * 1024 * 1024
        self.memory_unused = 0  # bytes shared with a fork server that the function does not use

    @property
    def pid(self) -> int | None:
        """The process id, once there is a process."""
        return None if self._process is None else self._process.pid

    @property
    def peak_memory(self) -> int:
        """The most MB that the process has used."""
        return max(0, peak_mb(self.pid) - self.memory_unused // 1024**2)

    @property
    def tail(self) -> bytes:
        """The last 4 KB logged since the latest event was delivered."""
        return bytes(self._tail)

    def can_take_event(self) -> bool:
        """Whether the process still runs. Asks the kernel: the event loop may not know yet that it ended."""
        return self.alive and self._process is not None and self._process.is_alive()

    async def start(self, request_id: str, seconds: float) -> None:
        """Starts the process and returns when it asks for its first event.

        Raises InitTimeout after `seconds`, or InitFailed with the error document for `request_id`.
        """
        self._listener = await self._loop.create_server(lambda: RuntimeConnection(self), "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.scratch.mkdir(parents=True, exist_ok=True)
        variables = process_variables(self.function, self._launch, port, self.scratch)
        command = Command(self.function.handler, self.function.code, variables, self._debug_port)
        self._starting = True
        try:
            self._process = await self._spawn(command)
        except OSError as error:
            self.kill()
            message = f"RequestId: {request_id} Error: {error}"
            raise InitFailed(error_document("Runtime.InvalidEntrypoint", message)) from None
        finally:
            self._starting = False
            if self._process is None and not self.alive and not self.ended.done():
                self.ended.set_result(None)
        if not self.alive:  # killed while it was being started
            self._process.kill_tree()
            self._listener.close()
        self._launch.memory.begin(self)
        try:
            async with asyncio.timeout(None if self._debug_port else seconds):
                await self._ready
        except TimeoutError:
            self.kill()
            raise InitTimeout from None
        except _Exited as exited:
            raise InitFailed(_exit_document(request_id, exited.status)) from None
        except BaseException:
            self.kill()
            raise
        finally:
            self._launch.memory.end(self)
        self.started = True

    async def _spawn(self, command: Command) -> FunctionProcess:
        """Forked if possible, else a new interpreter."""
        if self._launch.forks is not None and not self._launch.http and not self._debug_port:
            try:
                return await self._connect(command, self._fork)
            except NotForked as reason:
                _log.info("%s starts in a new process: %s", self.function.name, reason)
        return await self._connect(command, self._start_fresh)

    async def _connect(
        self, command: Command, start: Callable[[Command, int, socket.socket | None], Awaitable[FunctionProcess]]
    ) -> FunctionProcess:
        """Starts a process with its own output and runtime socket."""
        ours, theirs = (None, None) if self._launch.http else socket.socketpair()
        self._output, output = await Output.open(self)
        try:
            process = await start(command, output, theirs)
        except BaseException:
            self._output.abandon()
            if ours is not None:
                ours.close()
            raise
        finally:
            os.close(output)
            if theirs is not None:
                theirs.close()
        if ours is not None:
            try:
                _, self._runtime = await self._loop.create_unix_connection(
                    lambda: RuntimeSocket(self, self._on_report), sock=ours
                )
            except BaseException:  # cancelled; nothing else knows of the process yet
                process.kill_tree()
                raise
        return process

    async def _start_fresh(self, command: Command, output: int, runtime: socket.socket | None) -> FunctionProcess:
        return await start_fresh(self._launch.interpreter, command, self, output, runtime)

    async def _fork(self, command: Command, output: int, runtime: socket.socket | None) -> FunctionProcess:
        assert self._launch.forks is not None
        assert runtime is not None
        return await self._launch.forks.fork(self.function, command, self, output, runtime)

    def _on_report(self, report: Mapping[str, Any]) -> None:
        self.memory_unused = report.get("unused", 0)
        if self._launch.forks is not None and report["loaded"]:
            self._launch.forks.report_loaded(self.function, report["loaded"])

    async def invoke(self, invocation: Invocation, seconds: float) -> InvocationOutcome:
        """Delivers the event to the process and waits for its outcome; after `seconds` the process is killed.

        Raises NotDelivered if the process ended before it received the event.
        """
        seconds = _DEBUGGED if self._debug_port else seconds
        self._tail.clear()
        self._current = invocation
        self._request_id = invocation.request_id
        self._launch.memory.begin(self)
        invocation.deadline = time.time() + seconds
        self._waiting_invocation = invocation
        self._deliver()
        timer = self._loop.call_later(seconds, self._on_timeout, invocation)
        try:
            return await invocation.outcome
        except asyncio.CancelledError:
            self.kill()  # the rest of this invocation must not run during the next one
            raise
        finally:
            timer.cancel()
            self._launch.memory.end(self)
            if self._output is not None:
                self._output.drain()
            self._current = None
            self._end_line()

    def kill(self) -> None:
        """Ends the process, its children and its port. May be called twice."""
        if not self.alive:
            return
        self.alive = False
        if self._restoring is not None:
            self._restoring.cancel()
        if self._process is not None:
            self._process.kill_tree()
        if self._listener is not None:
            self._listener.close()
        if self._next_connection is not None:
            self._next_connection.close()
        if self._runtime is not None:
            self._runtime.close()
        self._started(InitFailed(error_document("Runtime.ExitError", "Error: Runtime was shut down")))
        if self._process is None and not self._starting:
            self.ended.set_result(None)
        self._on_end(self)

    # Events of the process: function_process.Listener.

    def output_received(self, data: bytes) -> None:
        self._tail += data
        del self._tail[:-_TAIL]
        *lines, self._unfinished_line = (self._unfinished_line + data).split(b"\n")
        for line in lines:
            for start in range(0, len(line) or 1, _LINE):
                self._log(line[start : start + _LINE])
        while len(self._unfinished_line) >= _LINE:
            self._log(self._unfinished_line[:_LINE])
            self._unfinished_line = self._unfinished_line[_LINE:]
        if self._current is None and self.started:
            self._end_line()  # written just before the response, read after it

    def output_closed(self) -> None:
        self._end_line()
        self._closed = True
        self._check_end()

    def _check_end(self) -> None:
        if self._exited and self._closed and not self.ended.done():
            self.ended.set_result(None)

    def _end_line(self) -> None:
        """Ends a log line with its invocation, with or without a newline."""
        if self._unfinished_line:
            line, self._unfinished_line = self._unfinished_line, b""
            self._log(line)

    def out_of_memory(self, used: int) -> None:
        """Kills the process; its invocation fails when the process has ended."""
        self._launch.log(
            self.function.name,
            self._request_id,
            f"out of memory: {used // 1024**2} MB used, MemorySize is {self.function.memory_mb} MB",
        )
        if self._process is not None:
            self._process.kill_tree()

    def process_exited(self, status: int) -> None:
        self.failed = self.failed or self.alive
        self._exited = True
        self._started(_Exited(status))
        invocation = self._current
        if invocation is not None and not invocation.outcome.done():
            if invocation.delivered:
                document = _exit_document(invocation.request_id, status)
                invocation.outcome.set_result(InvocationOutcome(document, failed=True))
            else:
                invocation.outcome.set_exception(NotDelivered())
        self.kill()
        # Its last output is still in the pipe; but a grandchild that survived may keep the pipe open forever.
        if self._output is not None:
            self._loop.call_later(0.5, self._output.close)
        self._check_end()

    def _log(self, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace")
        if "\r" in text:  # awslambdaric writes a traceback as one record: carriage returns, no-break spaces
            text = text.replace("\xa0", " ")
        for line in text.rstrip("\r").split("\r"):
            self._launch.log(self.function.name, self._request_id, line)

    def _started(self, failure: Exception | None = None) -> None:
        """Makes `start` return or raise, if it still waits."""
        if self._ready.done():
            return
        if failure is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(failure)
            self._ready.exception()  # otherwise asyncio logs it as never retrieved if nothing waits

    def _on_timeout(self, invocation: Invocation) -> None:
        if not invocation.outcome.done():
            document = timeout_document(invocation.request_id, self.function.timeout)
            invocation.outcome.set_result(InvocationOutcome(document, failed=True))
        self.failed = True
        self.kill()

    def _on_restore_timeout(self) -> None:
        message = "Lambda couldn't restore the snapshot within the timeout limit."
        self._started(InitFailed(error_document("Lambda.SnapStartTimeoutException", message)))

    # Requests of the runtime: the Runtime API.

    def runtime_request(self, connection: Connection, method: str, path: str, body: bytes) -> None:
        what = f"{method} {path.removeprefix(_PATHS)}"
        if what == "GET invocation/next":
            if self._restoring is not None:
                self._restoring.cancel()
            self._started()
            self._next_connection = connection
            self._deliver()
        elif what in ("POST init/error", "POST restore/error"):
            self._started(InitFailed(body))
            connection.respond(202)
        elif what == "GET restore/next":
            # The hooks before the snapshot have run. No snapshot is taken: this process continues as the restored copy.
            if not self._debug_port:
                self._restoring = self._loop.call_later(self._launch.restore, self._on_restore_timeout)
            connection.respond(200)
        elif what.startswith("POST invocation/"):
            request_id, _, kind = what.removeprefix("POST invocation/").partition("/")
            self._finish(connection, request_id, kind, body)
        else:
            connection.respond(404)

    def _deliver(self) -> None:
        """Delivers the event once there is one and the runtime has requested one."""
        connection, invocation = self._next_connection, self._waiting_invocation
        if connection is None or invocation is None:
            return
        self._next_connection = self._waiting_invocation = None
        invocation.delivered = True
        headers = {
            "Content-Type": "application/json",  # exactly this: with a charset awslambdaric passes bytes to the handler
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
            "Lambda-Runtime-Invoked-Function-Arn": self._invoked_arn(invocation),
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
        }
        if invocation.client_context is not None:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        connection.respond(200, invocation.payload, headers)

    def _invoked_arn(self, invocation: Invocation) -> str:
        return f"{self.function.arn}:{invocation.qualifier}" if invocation.qualifier else self.function.arn

    def _finish(self, connection: Connection, request_id: str, kind: str, body: bytes) -> None:
        invocation = self._current
        if kind not in ("response", "error"):
            connection.respond(404)
        elif invocation is None or invocation.request_id != request_id or invocation.outcome.done():
            connection.respond(400, error_document("InvalidRequestID", "Invalid request ID"), _JSON)
        elif len(body) > MAX_RESPONSE:
            message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
            document = error_document("Function.ResponseSizeTooLarge", message)
            invocation.outcome.set_result(InvocationOutcome(document, failed=True))
            connection.respond(413, document, _JSON)
        else:
            invocation.outcome.set_result(InvocationOutcome(body, failed=kind == "error"))
            # After the caller has continued: this wakes the runtime, which then competes for the processor.
            self._loop.call_later(0, connection.respond, 202)


def process_variables(function: Function, launch: LaunchSettings, port: int, scratch: Path) -> dict[str, str]:
    """A process's whole environment, without the host's own variables, as on Lambda.

    `port` is its Runtime API's, `scratch` its TMPDIR.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    name = function.deployed_name or function.name
    region = function.arn.split(":")[3]
    today = time.strftime("%Y/%m/%d", time.gmtime())
    return {
        "AWS_ACCESS_KEY_ID": "emulator",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "AWS_SESSION_TOKEN": "emulator",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "LANG": "en_US.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
        "TZ": ":UTC",
        **({"LD_LIBRARY_PATH": os.environ["LD_LIBRARY_PATH"]} if "LD_LIBRARY_PATH" in os.environ else {}),
        **function.environment,
        **launch.environment,
        **function.variables,
        "TMPDIR": str(scratch),  # on Lambda, /tmp belongs to one environment
        # Its own home: otherwise SDKs would read the developer's real AWS profile, and libpq the real passwords.
        "HOME": str(launch.state / "home"),
        **_bytecode(function, launch.state),
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in (function.code, *function.layers)),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if function.snap_start else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.variables.get("AWS_LAMBDA_LOG_GROUP_NAME", f"/aws/lambda/{name}"),
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{today}/[{function.version}]{uuid.uuid4().hex}",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
    }


def _bytecode(function: Function, state: Path) -> dict[str, str]:
    """Lambda packages contain bytecode. Here it is kept where Python puts it, and all stacks share it."""
    if sys.pycache_prefix:
        return {"PYTHONPYCACHEPREFIX": sys.pycache_prefix}
    sources = (package_folder(function), *function.layers)
    if sys.dont_write_bytecode or not all(os.access(folder, os.W_OK) for folder in sources):
        return {"PYTHONPYCACHEPREFIX": str(state / "bytecode")}
    return {}


class _Exited(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _exit_document(request_id: str, status: int) -> bytes:
    if status < 0:
        reason = f" with error: signal: {signal.strsignal(-status) or -status}".lower()
    elif status > 0:
        reason = f" with error: exit status {status}"
    else:
        reason = " without providing a reason"
    return error_document("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited{reason}")
