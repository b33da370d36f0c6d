"""Kills environments that use more memory than their function's MemorySize, as Lambda does.

Measured, not limited: under a resource limit Python would raise a MemoryError that a function can catch, where Lambda
kills. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_EVERY = 0.15  # seconds between two checks, of busy environments only
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MB = 1024 * 1024
_ONE_THREAD = 3  # links of /proc/PID/task: itself, its parent, and a folder for each thread


class Watched(Protocol):
    """A process and its children, with a memory limit."""

    @property
    def memory_limit(self) -> int | None: ...  # bytes; None means no limit
    @property
    def memory_unused(self) -> int: ...  # bytes shared with a fork server that do not count
    @property
    def pid(self) -> int | None: ...
    def out_of_memory(self, used: int) -> None: ...


class MemoryWatch:
    """Checks each process between `begin` and `end`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._busy: dict[Watched, _Process | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, target: Watched) -> None:
        """Checks the process from now on."""
        self._busy.setdefault(target, None)  # most end before the first check
        if self._timer is None:
            self._timer = self._loop.call_later(_EVERY, self._check)

    def end(self, target: Watched) -> None:
        """Stops checking it."""
        if (process := self._busy.pop(target, None)) is not None:
            process.close()

    def _check(self) -> None:
        self._timer = self._loop.call_later(_EVERY, self._check) if self._busy else None
        for target, process in list(self._busy.items()):
            limit, pid = target.memory_limit, target.pid
            if limit is None or pid is None or target not in self._busy:
                continue
            if process is None:
                process = self._busy[target] = _Process(pid)
            own = process.resident_alone()
            used = memory_of(pid, limit, target.memory_unused) if own is None else own - target.memory_unused
            if used > limit:
                target.out_of_memory(used)


class _Process:
    """Open files of a process in /proc: a check costs a tenth of opening them."""

    def __init__(self, pid: int) -> None:
        self._files: list[int] = []
        with suppress(OSError):  # it has ended
            self._files = [
                os.open(f"/proc/{pid}/{name}", os.O_RDONLY) for name in ("statm", f"task/{pid}/children", "task")
            ]

    def resident_alone(self) -> int | None:
        """Resident bytes; None if it has children, or other threads, which may have children."""
        with suppress(OSError, ValueError):
            statm, children, threads = self._files
            if os.fstat(threads).st_nlink == _ONE_THREAD and not os.pread(children, 1, 0):
                return int(os.pread(statm, 100, 0).split()[1]) * _PAGE
        return None

    def close(self) -> None:
        for file in self._files:
            os.close(file)
        self._files.clear()


def memory_of(pid: int, limit: int, unused: int = 0) -> int:
    """Resident bytes of a process and its descendants, without `unused` bytes that are only shared.

    If the sum is over the limit, memory that the processes share is counted once.
    """
    processes = list(descendants(pid))
    used = sum(_resident(member) for member in processes) - unused
    if used <= limit or len(processes) == 1:
        return used
    return _resident(pid) - unused + sum(_private(member) for member in processes[1:])


def peak_mb(pid: int | None) -> int:
    """The most memory a process has used, in MB; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 // _MB
    return 0


def available_memory() -> int:
    """Bytes still available to processes: of the machine, or of the container if that has less."""
    values = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(values["MemAvailable"].split()[0]) * 1024
    with suppress(OSError, ValueError):  # "max" means no limit
        group = Path("/sys/fs/cgroup")
        used = int((group / "memory.current").read_text())
        available = min(available, int((group / "memory.max").read_text()) - used)
    return max(0, available)


def descendants(pid: int) -> Iterator[int]:
    """A process and all its descendants, in any process group."""
    yield pid
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  Path is twice as slow
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                children = file.read()
            for child in children.split():
                yield from descendants(int(child))


def _resident(pid: int) -> int:
    with suppress(OSError), open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * _PAGE
    return 0


def _private(pid: int) -> int:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
    return 0
