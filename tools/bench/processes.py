"""Processor seconds and memory of every process of a running stack, by service or function."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx
import psutil

_INTERVAL = 1.0  # seconds between two readings


class StackProcesses:
    """The processes of the stack that `stack`, the content of a stack.json, describes."""

    def __init__(self, stack: Mapping[str, Any]) -> None:
        self._admin = f"{stack['admin']}/status"
        status = httpx.get(self._admin).json()
        self._daemon = psutil.Process(status["pid"])
        self._used: dict[tuple[int, float], tuple[str, float]] = {}  # process -> name, seconds when last seen
        self._lock = threading.Lock()
        self._units = {unit["pid"]: unit["name"] for unit in status["units"] if unit["pid"]}
        # Environments end at any time, and their parent does not always know what they used.
        threading.Thread(target=self._watch, daemon=True).start()

    def cpu_seconds(self) -> dict[str, float]:
        """Processor seconds so far, by name, with those of processes that have ended."""
        with self._lock:
            for name, process in self._named():
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._used[process.pid, process.create_time()] = name, times.user + times.system
            seconds: dict[str, float] = {}
            for name, used in self._used.values():
                seconds[name] = seconds.get(name, 0.0) + used
            return seconds

    def _watch(self) -> None:
        while True:
            with suppress(httpx.HTTPError, psutil.Error):  # the stack may have stopped
                self.cpu_seconds()
            time.sleep(_INTERVAL)

    def memory(self) -> Counter[str]:
        """Proportional set sizes, in bytes, by name."""
        sizes: Counter[str] = Counter()
        for name, process in self._named():
            sizes[name] += process.memory_full_info().pss
        return sizes

    def count(self) -> int:
        return sum(1 for _ in self._named())

    def _named(self) -> Iterator[tuple[str, psutil.Process]]:
        """Every process with its name: the name of the service, or the function of an environment."""
        functions = httpx.get(self._admin).json()["functions"]
        # A forked environment has the variables of the process it was forked from, so the emulator's list comes first.
        known = self._units | {pid: name for name, stats in functions.items() for pid in stats.get("pids", ())}
        waiting = [("emulator", self._daemon)]
        while waiting:
            name, process = waiting.pop()
            try:
                children = process.children()
                yield name, process
            except psutil.Error:  # it has ended
                continue
            for child in children:
                inherited = name if name != "emulator" else _function(child) or "emulator"
                waiting.append((known.get(child.pid, inherited), child))


def _function(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("AWS_LAMBDA_FUNCTION_NAME")
    except psutil.Error:
        return None


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What each name used between two readings; at least 0, since an ended process may not be counted any more."""
    return {name: max(0.0, seconds - before.get(name, 0.0)) for name, seconds in after.items()}
