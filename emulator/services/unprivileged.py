"""Runs a program as the user `nobody` when this process is root: PostgreSQL does not run as root.

Root's files are often in folders that `nobody` cannot enter, such as root's home or a folder of `mktemp -d`. Only then
the program keeps one of root's capabilities, which lets it enter any folder: CAP_DAC_READ_SEARCH if possible, else (in
most containers, or if a umask of 077 made the program readable by root only) CAP_DAC_OVERRIDE.
"""

import ctypes
import os
import pwd
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from emulator.stack import StackError

_CHOWN, _DAC_OVERRIDE, _DAC_READ_SEARCH, _KILL, _SETGID, _SETUID, _SETPCAP = 0, 1, 2, 5, 6, 7, 8
_NAMES = {
    _CHOWN: "CAP_CHOWN",
    _DAC_OVERRIDE: "CAP_DAC_OVERRIDE",
    _KILL: "CAP_KILL",
    _SETGID: "CAP_SETGID",
    _SETUID: "CAP_SETUID",
    _SETPCAP: "CAP_SETPCAP",
}
_TO_CHANGE_USER = {_CHOWN, _KILL, _SETGID, _SETUID}
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 4
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)  # loaded here: not safe between fork and exec


class NobodyUser:
    """The user `nobody`, for a program with its data in a folder. `instead` says what to do if that is impossible.

    Raises StackError if this root cannot become `nobody`, or `nobody` could not reach the program and the folder.
    """

    def __init__(self, program: Path, folder: Path, instead: str) -> None:
        try:
            user = pwd.getpwnam("nobody")
        except KeyError:
            raise StackError(
                f"PostgreSQL does not run as root, and this machine has no user nobody: {instead}"
            ) from None
        self.uid, self.gid = user.pw_uid, user.pw_gid
        held = _capabilities()
        if missing := _names(_TO_CHANGE_USER - held):
            raise StackError(f"PostgreSQL does not run as root, and this root has no {missing}: {instead}")
        if not _is_mapped(self.uid):
            raise StackError(f"PostgreSQL does not run as root, and this user namespace has no other user: {instead}")
        closed = _closed(program) or _closed(folder)
        executable = program.stat().st_mode & 0o001
        self._kept = _DAC_READ_SEARCH if executable and _DAC_READ_SEARCH in held else _DAC_OVERRIDE
        if closed and (missing := _names({self._kept, _SETPCAP} - held)):
            raise StackError(
                f"PostgreSQL runs as nobody, who cannot enter {closed}, and this root has no {missing} to allow it:"
                f" move the project to a folder that others can enter, or {instead}"
            )
        self._keeps = closed is not None

    def become(self) -> Callable[[], None]:
        """For `preexec_fn`, before anything that a change of user undoes."""
        uid, gid, keeps, kept = self.uid, self.gid, self._keeps, self._kept
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        sets = (ctypes.c_uint32 * 6)(*[keeps << kept] * 3)  # effective, permitted, inheritable

        def change() -> None:
            if keeps:
                # Without it access(2), with which PostgreSQL checks its programs, ignores the kept capability.
                _check(_libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            _check(_libc.capset(header, sets))
            if keeps:  # ambient capabilities survive exec
                _check(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, kept, 0, 0))

        return change


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _capabilities() -> set[int]:
    """The numbers of this process's effective capabilities."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    bits = int(found[1], 16) if found else 0
    return {number for number in range(bits.bit_length()) if bits >> number & 1}


def _names(capabilities: Iterable[int]) -> str:
    return ", ".join(_NAMES[number] for number in sorted(capabilities))


def _is_mapped(uid: int) -> bool:
    """Whether the user exists in this user namespace: some contain root only."""
    rows = [[int(word) for word in row.split()] for row in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= uid < first + count for first, _, count in rows)


def _closed(path: Path) -> Path | None:
    """The outermost folder on the way to `path` that others cannot enter, or `path` if others cannot read it."""
    path = path.resolve()
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return path if path.is_file() and path.stat().st_mode & 0o005 != 0o005 else None
