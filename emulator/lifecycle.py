"""Starts and stops the daemon."""

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
from emulator.processes import exit_with_parent, kill_group, last_lines, python_environment, start_time
from emulator.progress import Report
from emulator.stack import StackError
from emulator.state import OCCUPIED, State

_STOP_TIMEOUT = 20  # seconds that a stop may take
_MIN_FREE_MB = 200  # a new database, its first log file, bytecode and logs take about half of it


def up(options: Options, report: Report, *, attached: bool = False) -> dict[str, Any]:
    """Starts a stack in the background and returns its URLs when it is ready. If one is already starting, waits for it.

    Raises StackError if it does not start; nothing is left running. `attached`: it ends with this process.
    """
    state = State(options.state)
    pid = state.holder()
    if pid is not None:
        return _follow(state, pid, lambda: state.holder() == pid, report)
    require_ports(needed_ports(configuration.of(options), options))
    _require_disk_space(state.folder)
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
        daemon.wait(_STOP_TIMEOUT)  # it releases the folder just before it ends
        raise


def running(state: State) -> dict[str, Any] | None:
    """The URLs of a stack that is ready, else None."""
    return state.urls() if state.holder() is not None else None


def stop(state: State) -> bool:
    """Stops the stack, by SIGTERM and then by SIGKILL; returns whether there was one."""
    pid = state.holder()
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not _exits_within(pid, _STOP_TIMEOUT):
            kill_group(pid)
            _exits_within(pid, 5)
    leftovers = [name for registry in state.registries() for name in registry.kill_leftovers()]
    state.remove_urls()
    return pid is not None or bool(leftovers)


def _require_disk_space(folder: Path) -> None:
    """Creates the folder. Raises StackError if its disk is nearly full, since each service would fail differently."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free >> 20
    if free < _MIN_FREE_MB:
        raise StackError(
            f"{folder}: its disk has {free} MB left and a stack needs {_MIN_FREE_MB}: free some space, or choose"
            " another folder with --state"
        )


def _exits_within(pid: int, seconds: float) -> bool:
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
            cwd=Path(__file__).parent.parent,  # where this package is
            env=python_environment(os.environ, state.bytecode),
            start_new_session=True,  # the terminal's Ctrl-C is for `up`, which then stops the daemon in order
            preexec_fn=exit_with_parent(signal.SIGTERM) if attached else None,
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
