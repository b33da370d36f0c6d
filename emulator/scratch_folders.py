"""Folders for temporary files, one for each environment, like /tmp on Lambda."""

import os
import shutil
import tempfile
from pathlib import Path


class ScratchFolders:
    """Folders below one folder. Folders of emulators that were killed are removed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            pid = left.name.partition("-")[0]
            if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(left, ignore_errors=True)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=folder))
        self._count = 0

    def new(self) -> Path:
        """The path of an unused folder; its user creates it."""
        self._count += 1
        return self._folder / str(self._count)

    def drop(self, scratch: Path) -> None:
        """Removes a folder."""
        shutil.rmtree(scratch, ignore_errors=True)

    def close(self) -> None:
        """Removes all folders."""
        shutil.rmtree(self._folder, ignore_errors=True)
