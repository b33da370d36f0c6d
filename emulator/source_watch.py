"""Detects that a function's source has changed since an environment was started."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from emulator.stack import Function

# (Number of files, sum of their modification times in ns): a removed file or an older copy is a change too.
Signature = tuple[int, int]

_SUFFIXES = (".py", ".lua", ".json")
_FRESH = 0.25  # seconds that a scan is reused, and then a signature: at most half a second together


class SourceWatch:
    """Signatures of functions' folders. Scans are shared by functions and made at most every quarter of a second."""

    def __init__(self) -> None:
        self._scans: dict[Path, tuple[float, Signature]] = {}
        self._signatures: dict[str, tuple[float, Signature]] = {}

    def signature(self, function: Function) -> Signature:
        """The current signature of the function's package and layers."""
        now = time.monotonic()
        known = self._signatures.get(function.name)
        if known is not None and now - known[0] < _FRESH:
            return known[1]
        count = changes = 0
        for folder in (package_folder(function), *function.layers):
            files, changed = self._scan(folder)
            count += files
            changes += changed
        self._signatures[function.name] = now, (count, changes)
        return count, changes

    def folders_signature(self, layers: Iterable[Path], packages: Iterable[Path]) -> Signature:
        """The current signature of layers and of the packages installed in `packages`."""
        count = changes = 0
        for folder in layers:
            files, changed = self._scan(folder)
            count += files
            changes += changed
        for folder in packages:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith((".dist-info", ".pth")):  # not the folder itself: bytecode changes it
                        count += 1
                        changes += entry.stat().st_mtime_ns
        return count, changes

    def _scan(self, folder: Path) -> Signature:
        now = time.monotonic()
        known = self._scans.get(folder)
        if known is not None and now - known[0] < _FRESH:
            return known[1]
        count = changes = 0
        for changed in _changes(str(folder)):
            count += 1
            changes += changed
        self._scans[folder] = now, (count, changes)
        return count, changes


def package_folder(function: Function) -> Path:
    """The handler's top-level package: the code folder may be a whole checkout."""
    package = function.code / function.handler.split(".")[0]
    return package if package.is_dir() else function.code


def _changes(folder: str) -> Iterator[int]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in ("__pycache__", "node_modules"):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _changes(entry.path)
                elif entry.name.endswith(_SUFFIXES):
                    yield entry.stat().st_mtime_ns
    except FileNotFoundError:
        return  # deleted during the scan
