"""Ends environments that use more memory than their function has, as Lambda does.

Measured, not limited: under a resource limit Python would raise a MemoryError that a function can catch, where Lambda
kills. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_EVERY = 0.15  # seconds between two looks, at busy environments only
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MB = 1024 * 1024
_ONE_THREAD = 3  # links of /proc/PID/task: itself, its parent, and a folder for each thread


class Watched(Protocol):
    """A process, with its children, that may use so much memory."""

    @property
    def memory_limit(self) -> int | None: ...  # bytes; None is no limit
    @property
    def memory_unused(self) -> int: ...  # bytes of what a fork server shares with it that do not count
    @property
    def pid(self) -> int | None: ...
    def out_of_memory(self, used: int) -> None: ...


class MemoryWatch:
    """Looks at those between `begin` and `end`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._busy: dict[Watched, _Process | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, target: Watched) -> None:
        """Looks at it from now on."""
        self._busy.setdefault(target, None)  # most end before the first look
        if self._timer is None:
            self._timer = self._loop.call_later(_EVERY, self._look)

    def end(self, target: Watched) -> None:
        """Looks at it no more."""
        if (process := self._busy.pop(target, None)) is not None:
            process.close()

    def _look(self) -> None:
        self._timer = self._loop.call_later(_EVERY, self._look) if self._busy else None
        for target, process in list(self._busy.items()):
            limit, pid = target.memory_limit, target.pid
            if limit is None or pid is None or target not in self._busy:
                continue
            if process is None:
                process = self._busy[target] = _Process(pid)
            alone = process.resident_alone()
            used = memory_of(pid, limit, target.memory_unused) if alone is None else alone - target.memory_unused
            if used > limit:
                target.out_of_memory(used)


class _Process:
    """Files of a process in /proc that stay open: a look costs a tenth of opening them, and a stack is never idle."""

    def __init__(self, pid: int) -> None:
        self._files: list[int] = []
        with suppress(OSError):  # it has ended
            self._files = [
                os.open(f"/proc/{pid}/{name}", os.O_RDONLY) for name in ("statm", f"task/{pid}/children", "task")
            ]

    def resident_alone(self) -> int | None:
        """Bytes resident in it; None where it has children, or other threads that may have."""
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
    """Bytes resident in a process and its descendants, without `unused` bytes that it shares and never asked for.

    What the processes share is counted once where that decides.
    """
    family = list(descendants(pid))
    used = sum(_resident(member) for member in family) - unused
    if used <= limit or len(family) == 1:
        return used
    return _resident(pid) - unused + sum(_private(member) for member in family[1:])


def peak_mb(pid: int | None) -> int:
    """The most a process has used so far, in MB; 0 where it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 // _MB
    return 0


def available_memory() -> int:
    """Bytes that processes may still take: of the machine, or of the container where that has less."""
    values = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(values["MemAvailable"].split()[0]) * 1024
    with suppress(OSError, ValueError):  # "max" is no limit
        group = Path("/sys/fs/cgroup")
        used = int((group / "memory.current").read_text())
        available = min(available, int((group / "memory.max").read_text()) - used)
    return max(0, available)


def descendants(pid: int) -> Iterator[int]:
    """A process and all that it and its children have started, whatever process group they are in by now."""
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
