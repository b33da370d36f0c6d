"""A fork server: imports packages once, then forks processes with them in milliseconds.

`multiprocessing.forkserver` does this for workers, Forklift and SOCK ("zygotes") for functions. Here a forked process
must look like a new one:

* What was preloaded is hidden until the function imports it (`preloading.py`).
* What a module's import read from the environment was recorded. If a function's environment has another value, the
  module and each module that imports it are imported again.
* A module whose import starts a thread, opens a descriptor, prints, or changes the process in another way is unsafe
  to preload: the server reports it and stops forking, and the emulator starts another server without it.

One thread. The control socket carries JSON, one packet per message:

    in   {"fork": id, "handler", "cwd", "path", "environment"} and two descriptors: output and runtime socket
         {"preload": [names]}
         {"retire": true}: the server ends after its last child
    out  {"forked": id, "pid"} and its pidfd, or {"not_forked": id, "reason"}
         {"exited": pid, "status"}
         {"failed": module, "reason"}: it could not be preloaded
         {"ready": count of preloaded modules}: after each batch
         {"unsafe": module, "reason"}: the server stops forking
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from emulator.function_side import boot, preloading
else:
    preloading = load("preloading")  # noqa: F821  load.py defines it
    boot = load("boot")  # noqa: F821

boot.client.install()  # awslambdaric reads it when it is imported
preloading.start_recording()

import ctypes  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import time  # noqa: E402

_PACKET = 262_144  # most bytes of one message
_PR_SET_PDEATHSIG = 1
_PAGE = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None)


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, int] = {}  # pidfd -> pid
        self._queue: list[str] = []  # modules still to preload
        self._retired = False
        self._unseeded: list[random.Random] = []  # generators that a module created when imported
        self._stale: dict[tuple[int, str], set[str]] = {}
        sys.meta_path.insert(0, preloading.Revealer)

    def serve(self) -> "dict[str, Any] | None":
        """In a child: the request it was forked for. In the server: None when it ends."""
        while not (self._retired and not self._children):
            poll = select.poll()
            for descriptor in (self._control.fileno(), *self._children):
                poll.register(descriptor, select.POLLIN)
            ready = poll.poll(0 if self._queue else None)
            for descriptor, _ in ready:
                if descriptor in self._children:
                    self._reap(descriptor)
                elif (request := self._receive()) is not None:
                    return request
            if self._queue and not ready:
                self._preload(self._queue.pop(0))
                if not self._queue and not self._retired:
                    self._finish_batch()
        return None

    def _receive(self) -> "dict[str, Any] | None":
        """Handles one message. In a child: the request it was forked for."""
        text, descriptors, _, _ = socket.recv_fds(self._control, _PACKET, 2)
        if not text:
            os._exit(0)  # the emulator has ended; the kernel kills the children
        message: dict[str, Any] = json.loads(text)
        if "preload" in message:
            self._queue += message["preload"]
            if not self._queue:
                self._finish_batch()
        elif "retire" in message:
            self._retire()
        elif "fork" in message:
            try:
                if self._fork(message, descriptors):
                    return message
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
        return None

    def _retire(self) -> None:
        self._retired = True
        self._queue.clear()

    def _fork(self, message: "dict[str, Any]", descriptors: "list[int]") -> bool:
        """True in the child."""
        preloading.hide()
        stale = self._stale_for(message["environment"])
        parent = os.getpid()
        try:
            reason = (
                "the server has stopped forking" if self._retired else _shadowed(message["cwd"]) or _compiled(stale)
            )
            pid = -1 if reason else os.fork()
        except OSError as error:  # no code folder, no more processes: a new process will report it
            reason, pid = str(error), -1
        if pid < 0:
            self._send({"not_forked": message["fork"], "reason": reason})
            return False
        if pid == 0:
            _look_new(message, descriptors, stale, parent)
            for generator in self._unseeded:
                generator.seed()
            return True
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = pid
        self._send({"forked": message["fork"], "pid": pid}, pidfd)
        return False

    def _stale_for(self, environment: "dict[str, str]") -> "set[str]":
        read = {key for variables in preloading.reads.values() for key in variables}
        seen = json.dumps([environment.get(key) for key in sorted(read)])
        key = (len(preloading.preloaded), seen)
        if key not in self._stale:
            self._stale[key] = preloading.stale(environment)
        return self._stale[key]

    def _reap(self, pidfd: int) -> None:
        pid = self._children.pop(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._send({"exited": pid, "status": os.waitstatus_to_exitcode(status)})

    def _send(self, message: "dict[str, Any]", *descriptors: int) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], list(descriptors))
        except OSError:
            os._exit(0)

    def _preload(self, name: str) -> None:
        if name in preloading.preloaded or name in sys.modules:
            return
        before, size, modules = _process_state(), _resident(), set(sys.modules)
        gc.disable()
        seed = random.Random.seed

        def record_seed(generator: random.Random, *arguments: "Any", **options: "Any") -> None:
            seed(generator, *arguments, **options)
            if (not arguments and not options) or arguments == (None,):
                self._unseeded.append(generator)

        random.Random.seed = record_seed  # type: ignore[method-assign,assignment]
        try:
            preloading.load(name)
        except BaseException as error:  # it may need what only the function has; then the function imports it
            self._send({"failed": name, "reason": f"{type(error).__name__}: {error}"[:1000]})
        finally:
            random.Random.seed = seed  # type: ignore[method-assign]
        new = set(sys.modules) - modules
        preloading.sizes.update(dict.fromkeys(new, (_resident() - size) // max(1, len(new))))
        after = _process_state()
        changed = [what for what, was in before.items() if after[what] != was]
        if changed:
            self._send({"unsafe": name, "reason": changed[0]})
            self._retire()

    def _finish_batch(self) -> None:
        preloading.hide()
        gc.freeze()  # so that garbage collection does not copy the pages shared with children
        self._send({"ready": len(preloading.preloaded)})


def _process_state() -> "dict[str, Any]":
    """What importing a module must not change."""
    return {
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "output": os.fstat(1).st_size,
        "signal handlers": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "working directory": os.getcwd(),
        "environment": dict(os.environ._data),  # type: ignore[attr-defined]
        "import path": (list(sys.path_hooks), list(sys.path)),
    }


def _resident() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE


def _shadowed(code: str) -> str:
    """Why a fork would load another module than a new process: one in the function's folder has the same name."""
    tops = {name.partition(".")[0] for name in preloading.preloaded | preloading.VISIBLE}
    for entry in os.scandir(code):
        top = entry.name.partition(".")[0]
        if top in tops and (entry.name.endswith((".py", ".so")) or os.path.exists(f"{entry.path}/__init__.py")):
            return f"{entry.name} has the name of a module that is already loaded"
    return ""


def _compiled(stale: "set[str]") -> str:
    """Why a fork cannot import these again: extension modules are initialised once per process."""
    for name in stale:
        origin = getattr(getattr(preloading.hidden.get(name), "__spec__", None), "origin", None) or ""
        if origin.endswith(".so"):
            return f"{name} depends on the environment and cannot be imported twice"
    return ""


def _look_new(request: "dict[str, Any]", descriptors: "list[int]", stale: "set[str]", parent: int) -> None:
    """Runs in the child: gives it the state of a new process of the function."""
    os.setsid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # the server ended before the line above
        os._exit(1)
    output, runtime = descriptors
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(runtime, 3, inheritable=False)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    descriptors.clear()
    os.chdir(request["cwd"])
    preloading.stop_recording()
    coerced = os.environ.get("LC_CTYPE")  # PEP 538: an interpreter may set it itself
    os.environ.clear()
    os.environ.update(request["environment"])
    if coerced is not None:
        os.environ["LC_CTYPE"] = coerced
    time.tzset()
    sys.path[:] = request["path"] + sys.path[1:]
    preloading.forget(stale)
    gc.enable()


def _describe() -> "dict[str, Any]":
    known = preloading.VISIBLE | preloading.preloaded
    unused = sum(preloading.sizes.get(name, 0) for name in preloading.hidden)
    return {"loaded": boot.loaded_packages(known), "unused": unused}


def main(arguments: "list[str]") -> None:
    """Argument: CONTROL_DESCRIPTOR."""
    control = socket.socket(fileno=int(arguments[0]))
    request = _Server(control).serve()
    if request is not None:
        control.detach()
        boot.run(request["handler"], 3, None, _describe)
