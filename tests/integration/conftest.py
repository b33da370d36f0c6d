"""The sandbox, and the auth service on real stores."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from common.stores.postgres import Database
from common.stores.redis import Client
from local.sandbox.server import serve
from local.sandbox.settings import Settings
from tests.support.fixtures.auth_service import AuthService


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The sandbox, in a thread of this process; nothing receives its webhooks."""
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


@pytest.fixture
def new_service(database_of: Callable[[str], Database], redis: Client) -> Callable[[], AuthService]:
    """Each with its own connection, on empty stores."""
    return lambda: AuthService(database_of("user_service"), redis)


@pytest.fixture
def service(new_service: Callable[[], AuthService]) -> AuthService:
    return new_service()
