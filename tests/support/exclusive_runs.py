"""Lets a test have the machine to itself while the other workers of its run wait between their tests."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """All processes that name the same folder take part."""

    def __init__(self, folder: Path) -> None:
        self._door, self._room = (
            os.open(folder / name, os.O_CREAT | os.O_RDWR, 0o600) for name in ("turns.door", "turns.room")
        )

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Enters together with others, or waits until they have left and keeps them out."""
        fcntl.flock(self._door, fcntl.LOCK_EX)  # held while waiting to be alone, so that nobody else enters meanwhile
        try:
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)
