"""Notices that the source of a function has changed since an environment was started from it."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from emulator.stack import Function

# (How many files, sum of their change times in ns): a file that goes, or an older one in its place, is a change too.
Signature = tuple[int, int]

_SUFFIXES = (".py", ".lua", ".json")
_FRESH = 0.25  # seconds; a signature may be made of scans that old, and lasts as long: half a second in all


class SourceWatch:
    """Signatures of the folders functions are made of, scanned at most every half second: functions share them."""

    def __init__(self) -> None:
        self._scans: dict[Path, tuple[float, Signature]] = {}
        self._signatures: dict[str, tuple[float, Signature]] = {}

    def signature(self, function: Function) -> Signature:
        """What the function's own package and its layers look like now."""
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
        """What layers hold now, and which packages are installed in those folders, since when."""
        count = changes = 0
        for folder in layers:
            files, changed = self._scan(folder)
            count += files
            changes += changed
        for folder in packages:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith((".dist-info", ".pth")):  # bytecode changes the folder itself
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
    """The handler's top-level package: the code folder itself may be a whole checkout."""
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
        return  # deleted while we looked
