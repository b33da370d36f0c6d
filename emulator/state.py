"""The state folder: what a stack leaves on disk while it runs, and who may run there."""

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emulator.processes import Roster
from emulator.progress import ProgressFile

OCCUPIED = 3  # the exit code of a daemon that finds another in the folder


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
        """What the daemon with this pid says while it starts."""
        return ProgressFile(self.folder / f"progress.{pid}.jsonl")

    def is_ours(self) -> bool:
        """Whether a stack was ever here: a folder named by mistake must not be emptied."""
        return self._lock.exists()

    def rosters(self) -> list[Roster]:
        """The children that are, or were, running."""
        return [Roster(self.folder / name) for name in ("processes.json", "services.json")]

    @property
    def process_roster(self) -> Roster:
        """The project's own processes and steps."""
        return self.rosters()[0]

    def begin(self) -> list[str]:
        """Tidies up after whatever ran here before, killing what is left of it; returns the names of those."""
        killed = [name for roster in self.rosters() for name in roster.kill_leftovers()]
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
        """Says that the stack is ready, and where."""
        draft = self._stack.with_suffix(".draft")
        draft.write_text(json.dumps(urls, indent=2) + "\n")
        draft.replace(self._stack)

    def remove_urls(self) -> None:
        """Says that the stack is not ready any more."""
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
        """Holds the folder for this process; yields False where another has it.

        A lock rather than a pid in a file: the kernel lets go of it when its holder dies, however that comes about.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as file:
            for _ in range(10):  # `holder` has it too, for an instant
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
        """The pid of the process that holds the folder; None where nobody does."""
        try:
            with self._lock.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0) or None
                return None
        except FileNotFoundError:
            return None
