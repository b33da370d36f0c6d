"""Folders for temporary files, one for each environment, as /tmp is on Lambda."""

import os
import shutil
import tempfile
from pathlib import Path


class ScratchFolders:
    """Below one folder; those of emulators that were killed are cleared away."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            pid = left.name.partition("-")[0]
            if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(left, ignore_errors=True)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=folder))
        self._count = 0

    def new(self) -> Path:
        """A folder no other environment has; it is made by whoever uses it."""
        self._count += 1
        return self._folder / str(self._count)

    def drop(self, scratch: Path) -> None:
        """Removes one."""
        shutil.rmtree(scratch, ignore_errors=True)

    def close(self) -> None:
        """Removes all of them."""
        shutil.rmtree(self._folder, ignore_errors=True)
