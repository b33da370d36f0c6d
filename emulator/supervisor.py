"""Restarts services and the project's processes that end unexpectedly."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from emulator.processes import Child
from emulator.stack import StackError

_log = logging.getLogger(__name__)


class Unit(Protocol):
    """A service or process of the project."""

    child: Child | None
    restarts: int

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def url(self) -> str:
        """Where it listens."""

    def spawn(self) -> None:
        """Starts the process."""

    def wait_ready(self) -> None:
        """Returns when it serves. Raises StackError."""


async def supervise(units: Sequence[Unit], on_restart: Callable[[Unit], Awaitable[None]], steady: float = 30) -> None:
    """Never returns. A unit that ends within `steady` seconds of its start is restarted later each time, up to 30 s."""
    await asyncio.gather(*(_watch(unit, on_restart, steady) for unit in units))


async def _ended(child: Child) -> int:
    """The exit code of a process, once it has ended."""
    loop = asyncio.get_running_loop()
    while (code := child.exit_code) is None:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            ends = os.pidfd_open(child.pid)
            ended = asyncio.Event()
            loop.add_reader(ends, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(ends)
                os.close(ends)
    return code


async def _watch(unit: Unit, on_restart: Callable[[Unit], Awaitable[None]], steady: float) -> None:
    quick_ends = 0
    since = time.monotonic()
    while unit.child:  # an existing service has no child
        code = await _ended(unit.child)
        quick_ends = quick_ends + 1 if time.monotonic() - since < steady else 0
        delay = min(30, 2 ** (quick_ends - 1)) if quick_ends > 1 else 0
        _log.warning("%s ended with %s, restarting it in %d s", unit.name, code, delay)
        unit.child.kill()  # what is left of its group
        await asyncio.sleep(delay)
        since = time.monotonic()
        unit.restarts += 1
        unit.spawn()
        try:
            await asyncio.to_thread(unit.wait_ready)
        except StackError as error:
            _log.warning("%s", error)
            continue
        await on_restart(unit)
