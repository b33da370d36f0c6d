"""An emulator in its own thread, for tests that call it from outside, as a browser and boto3 would."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from emulator.emulator import Emulator, Settings
from emulator.runtime import InvokeResult
from emulator.stack import Stack

DEADLINE = 20.0  # seconds; reached only if something is wrong

Value = TypeVar("Value")


def wait_for(condition: Callable[[], Value], what: str) -> Value:
    """The condition's first true value; fails with `what` if there is none in time."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {DEADLINE} s for {what}")


def has_ended(pid: int) -> bool:
    """Whether a process has ended, collected by its parent or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class LiveEmulator:
    """An emulator in its own thread, and the output of its functions."""

    def __init__(self, stack: Stack, state: Path, **settings: Any) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._settings = Settings(
            state=state, gateway_port=0, invoke_port=0, log=lambda *line: self.lines.append(line), **settings
        )
        try:
            self.emulator = self.run(Emulator.start(stack, self._settings))
        except BaseException:
            self._end_loop()
            raise
        self.runtime = self.emulator.runtime
        self.http = httpx.Client(base_url=next(iter(self.emulator.api_urls.values()), ""), timeout=DEADLINE)

    def run(self, work: Awaitable[Value]) -> Value:
        """Waits for something on the emulator's loop."""
        return self.begin(work).result(DEADLINE)

    def begin(self, work: Awaitable[Value]) -> "Future[Value]":
        """Starts something on the emulator's loop."""

        async def awaited() -> Value:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop)

    def invoke(self, name: str, payload: bytes = b"{}", **options: Any) -> InvokeResult:
        """One synchronous invocation."""
        return self.run(self.runtime.invoke(name, payload, **options))

    def close(self) -> None:
        """Ends everything; may be called twice."""
        if self._thread.is_alive():
            self.http.close()
            self.run(self.emulator.close())
            self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._loop.close()
