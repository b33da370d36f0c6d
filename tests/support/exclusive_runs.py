"""Lets a test run alone while the other workers of its run wait between their tests."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ExclusiveRuns:
    """Shared by all processes that use the same folder."""

    def __init__(self, folder: Path) -> None:
        self._entry, self._running = (
            os.open(folder / name, os.O_CREAT | os.O_RDWR, 0o600) for name in ("runs.entry", "runs.running")
        )

    @contextmanager
    def run(self, *, alone: bool) -> Iterator[None]:
        """Runs together with others, or waits until they have ended and runs alone."""
        fcntl.flock(self._entry, fcntl.LOCK_EX)  # held while waiting, so that no other run starts meanwhile
        try:
            fcntl.flock(self._running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._entry, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._running, fcntl.LOCK_UN)
