"""The state folder: a stack's files on disk, and the lock that lets one daemon run there."""

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emulator.processes import ProcessRegistry
from emulator.progress import ProgressFile

OCCUPIED = 3  # exit code of a daemon if another one holds the folder


class State:
    """One stack's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.logs = self.folder / "logs"
        self.function_log = self.logs / "functions.log"
        self.daemon_log = self.folder / "emulator.log"
        self.bytecode = self.folder / "bytecode"
        self._stack = self.folder / "stack.json"
        self._lock = self.folder / "lock"

    def progress(self, pid: int) -> ProgressFile:
        """The progress file of the daemon with this pid."""
        return ProgressFile(self.folder / f"progress.{pid}.jsonl")

    def is_ours(self) -> bool:
        """Whether a stack has used this folder: a folder given by mistake must not be deleted."""
        return self._lock.exists()

    def registries(self) -> list[ProcessRegistry]:
        """The children that are, or were, running."""
        return [ProcessRegistry(self.folder / name) for name in ("processes.json", "services.json")]

    @property
    def process_registry(self) -> ProcessRegistry:
        """The project's own processes and steps."""
        return self.registries()[0]

    def begin(self) -> list[str]:
        """Cleans up after an earlier stack; returns the names of leftover processes that it killed."""
        killed = [name for registry in self.registries() for name in registry.kill_leftovers()]
        self.remove_urls()
        for progress in self.folder.glob("progress.*.jsonl"):
            progress.unlink()
        previous = self.folder / "logs.previous"
        shutil.rmtree(previous, ignore_errors=True)
        if self.logs.exists():
            self.logs.rename(previous)
        self.logs.mkdir(parents=True)
        return killed

    def write_urls(self, urls: Mapping[str, Any]) -> None:
        """Marks the stack as ready, with its URLs."""
        draft = self._stack.with_suffix(".draft")
        draft.write_text(json.dumps(urls, indent=2) + "\n")
        draft.replace(self._stack)

    def remove_urls(self) -> None:
        """Marks the stack as not ready."""
        self._stack.unlink(missing_ok=True)

    def urls(self) -> dict[str, Any] | None:
        """What `write_urls` wrote; None while the stack is not ready."""
        try:
            content: dict[str, Any] = json.loads(self._stack.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return content

    @contextlib.contextmanager
    def hold(self) -> Iterator[bool]:
        """Holds the folder for this process; yields False if another process holds it.

        A lock rather than a pid in a file: the kernel releases it when the holder ends, in any way.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as file:
            for _ in range(10):  # `holder` takes the lock briefly too
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.02)
            else:
                yield False
                return
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield True

    def holder(self) -> int | None:
        """The pid of the process that holds the folder; None if none does."""
        try:
            with self._lock.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0) or None
                return None
        except FileNotFoundError:
            return None
