"""Child processes that never outlive the emulator.

Three ways, each for when the one before fails: `Child.stop` in the normal case; on Linux the kernel, which signals
every child when its parent ends, even by kill -9; and the registry on disk, from which the next start kills the
processes that still run.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: not safe between fork and exec


class ProcessRegistry:
    """The running children, on disk: pid, start time and process group of each.

    The start time distinguishes our child from another process that got its pid later.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, tuple[int, float]]:
        """Name -> (pid, start time)."""
        try:
            return {name: (pid, started) for name, (pid, started) in json.loads(self._path.read_text()).items()}
        except (FileNotFoundError, ValueError):
            return {}

    def add(self, name: str, pid: int) -> None:
        """Records a child that was just started."""
        self._write(self.read() | {name: (pid, start_time(pid) or 0.0)})

    def remove(self, name: str) -> None:
        """Forgets a child that ended."""
        self._write({other: entry for other, entry in self.read().items() if other != name})

    def kill_leftovers(self) -> list[str]:
        """Kills processes that an earlier emulator left running; returns their names."""
        killed = []
        for name, (pid, started) in self.read().items():
            if start_time(pid) == started:
                kill_group(pid)
                _wait_for_exit(pid, started, seconds=5)
                killed.append(name)
        self._path.unlink(missing_ok=True)
        return killed

    def _write(self, entries: Mapping[str, tuple[int, float]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(entries))
        draft.replace(self._path)


class Child:
    """One process in its own process group, so that its children can be stopped with it.

    Start children from the main thread: for Linux, the parent has ended when the *thread* that forked ends.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        registry: ProcessRegistry,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stdin: int = subprocess.DEVNULL,
        before_exec: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._registry = registry
        self._stop_signal = stop_signal
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                process_group=0,
                preexec_fn=before_start(stop_signal, before_exec),
            )
        self.pid = self._process.pid
        registry.add(name, self.pid)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    def stop(self, seconds: float = 10) -> None:
        """Sends the stop signal, kills its group after `seconds`, and returns when it has ended."""
        self.request_stop()
        self.finish(seconds)

    def request_stop(self) -> None:
        """Only sends the stop signal: several children can then stop at the same time."""
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)

    def finish(self, seconds: float = 10) -> None:
        """Waits until it ends, and kills it after `seconds`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Kills it and all of its group, now."""
        kill_group(self.pid)
        self._process.wait()
        self._registry.remove(self.name)

    def last_lines(self, count: int = 15) -> str:
        """The end of its log."""
        return last_lines(self.log, count)


def last_lines(log: Path, count: int = 15) -> str:
    """The last `count` lines of a file, or "" if it does not exist."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""


def exit_with_parent(with_signal: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: makes Linux send the signal when the parent ends. None on other systems."""
    libc, number = _libc, int(with_signal)
    if libc is None:
        return None
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, number)


def before_start(stop_signal: signal.Signals, first: Callable[[], None] | None) -> Callable[[], None] | None:
    """For `preexec_fn`: `first`, then `exit_with_parent`, which a change of user would undo."""
    last = exit_with_parent(stop_signal)
    if first is None or last is None:
        return first or last

    def both() -> None:
        first()
        last()

    return both


def start_time(pid: int) -> float | None:
    """When the process began, in seconds since the epoch; None if it does not exist or is a zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def kill_group(pid: int) -> None:
    """Kills the process group that `pid` leads, if there is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def python_environment(base: Mapping[str, str], bytecode: Path) -> dict[str, str]:
    """`base`, with the emulator's Python as `python`, and with bytecode even if the caller disabled it.

    Without bytecode Python children take three times as long to start. If it is disabled, to keep the checkout clean,
    it goes to the state folder instead.
    """
    environment = {**base, "PATH": os.pathsep.join([str(Path(sys.executable).parent), base.get("PATH", os.defpath)])}
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        environment.setdefault("PYTHONPYCACHEPREFIX", str(bytecode))
    return environment


def _wait_for_exit(pid: int, started: float, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while start_time(pid) == started and time.monotonic() < deadline:
        time.sleep(0.01)
