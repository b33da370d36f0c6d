"""The outside world, for the tests in which a service speaks to it."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from sandbox.server import serve
from sandbox.settings import Settings


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The sandbox, in a thread of this process; its webhooks go nowhere."""
    ready, stop = threading.Event(), threading.Event()
    urls: list[str] = []

    async def run() -> None:
        async with serve(Settings(), "http://127.0.0.1:9/payments/webhook", port=0) as url:
            urls.append(url)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(10)
    yield urls[0]
    stop.set()
    thread.join(10)
