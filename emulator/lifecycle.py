"""Starting and stopping the daemon from outside."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulator import config as configuration
from emulator.fixed_ports import needed_ports, require_ports
from emulator.options import Options
from emulator.processes import die_with_parent, kill_group, last_lines, python_environment, start_time
from emulator.progress import Report
from emulator.stack import StackError
from emulator.state import OCCUPIED, State

_PATIENCE = 20  # seconds that a stop may take
_ROOM = 200  # MB: a new database, its first log file, bytecode and logs take about half of it


def up(options: Options, report: Report, *, attached: bool = False) -> dict[str, Any]:
    """Starts a stack in the background and returns its URLs when it is ready; watches where one is already starting.

    Raises StackError, with nothing left running, when it does not come up. `attached` ties it to this process.
    """
    state = State(options.state)
    pid = state.holder()
    if pid is not None:
        return _follow(state, pid, lambda: state.holder() == pid, report)
    require_ports(needed_ports(configuration.of(options), options))
    _require_room(state.folder)
    daemon = _spawn(options, state, attached)
    state.progress(daemon.pid).forget()
    try:
        return _follow(state, daemon.pid, lambda: daemon.poll() is None, report)
    except _Ended:
        if daemon.returncode == OCCUPIED:  # another `up` was first
            return up(options, report, attached=attached)
        raise
    except BaseException:
        stop(state)
        daemon.wait(_PATIENCE)  # it lets go of the folder a moment before it is gone
        raise


def running(state: State) -> dict[str, Any] | None:
    """The URLs of a stack that is ready; None where none is."""
    return state.urls() if state.holder() is not None else None


def stop(state: State) -> bool:
    """Stops the stack, gently and then not; returns whether there was one."""
    pid = state.holder()
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not _gone(pid, _PATIENCE):
            kill_group(pid)
            _gone(pid, 5)
    leftovers = [name for roster in state.rosters() for name in roster.kill_leftovers()]
    state.remove_urls()
    return pid is not None or bool(leftovers)


def _require_room(folder: Path) -> None:
    """Makes the folder. Raises StackError where its disk is nearly full: each service would say so in its own way."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free >> 20
    if free < _ROOM:
        raise StackError(
            f"{folder}: its disk has {free} MB left and a stack takes {_ROOM}: make room, or choose a folder"
            " elsewhere with --state"
        )


def _gone(pid: int, seconds: float) -> bool:
    started, deadline = start_time(pid), time.monotonic() + seconds
    while started is not None and start_time(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _spawn(options: Options, state: State, attached: bool) -> "subprocess.Popen[bytes]":
    with state.daemon_log.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "emulator", "serve", options.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).parent.parent,  # wherever this package was found
            env=python_environment(os.environ, state.bytecode),
            start_new_session=True,  # the terminal's Ctrl-C is for `up`, which then stops the daemon in order
            preexec_fn=die_with_parent(signal.SIGTERM) if attached else None,
        )


class _Ended(StackError):
    pass


def _follow(state: State, pid: int, alive: Callable[[], bool], report: Report) -> dict[str, Any]:
    for step in state.progress(pid).follow(alive):
        if step is None:
            continue
        report(step)
        if step.state == "failed":
            raise StackError(f"{step.text}\n(logs: {state.logs})")
        if step.state == "ready":
            urls = state.urls()
            if urls:
                return urls
    raise _Ended(
        f"the emulator ended before it was ready:\n{last_lines(state.daemon_log, 5)}\n(log: {state.daemon_log})"
    )
