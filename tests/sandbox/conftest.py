"""The sandbox on a free port, a merchant that receives its webhooks, and a clock that tests can move."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from local.sandbox.server import Dependencies, serve
from local.sandbox.settings import Settings


class Sandbox:
    """What a scenario uses."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.ahead = timedelta()  # how far the sandbox's clock runs ahead
        self.received: list[tuple[dict[str, str], bytes]] = []  # every webhook attempt, with the rejected ones
        self.reject_webhooks = 0  # how many attempts the merchant answers with 503
        self.url = ""
        self.session: aiohttp.ClientSession

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        async with self.session.request(method, self.url + path, json=body, **more) as response:
            return response.status, await response.json()

    async def portone(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"PortOne {self.settings.portone_api_secret}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.call(method, path, body, headers=headers)

    async def pre_register(self, payment_id: str, amount: int) -> None:
        body = {"totalAmount": amount, "currency": "KRW", "storeId": self.settings.portone_store_id}
        assert await self.portone("POST", f"/payments/{payment_id}/pre-register", body) == (200, {})

    async def authorized(self, payment_id: str, amount: int) -> str:
        await self.pre_register(payment_id, amount)
        status, body = await self.call("POST", f"/sandbox/payments/{payment_id}/pay", {"outcome": "AUTHORIZED"})
        assert status == 200
        token: str = body["paymentToken"]
        return token

    async def paid(self, payment_id: str, amount: int) -> None:
        await self.pre_register(payment_id, amount)
        answer = await self.call("POST", f"/sandbox/payments/{payment_id}/pay", {"outcome": "PAID"})
        assert answer == (200, {"status": "PAID"})

    async def held(self, payment_id: str) -> tuple[str, int, int]:
        status, body = await self.call("GET", f"/sandbox/payments/{payment_id}")
        assert status == 200
        return body["status"], body["paidAmount"], body["cancelledAmount"]

    async def fault(self, mode: str, **more: Any) -> None:
        status, _ = await self.call("PUT", "/sandbox/faults", {"mode": mode, **more})
        assert status == 200

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(10):
            while not await condition():  # noqa: ASYNC110  (what is awaited happens behind HTTP, where no event reaches)
                await asyncio.sleep(0.005)

    async def webhooks(self, count: int) -> list[dict[str, Any]]:
        """The bodies of the first `count` webhooks, each verified as the merchant would."""

        async def arrived() -> bool:
            return len(self.received) >= count

        await self.until(arrived)
        verifier = Webhook(self.settings.portone_webhook_secret)
        for headers, body in self.received:
            verifier.verify(body, headers)
        return [json.loads(body) for _, body in self.received]

    async def take_webhook(self, request: web.Request) -> web.Response:
        self.received.append((dict(request.headers), await request.read()))
        if self.reject_webhooks:
            self.reject_webhooks -= 1
            return web.Response(status=503)
        return web.Response()


async def _run(scenario: Callable[[Sandbox], Awaitable[None]]) -> None:
    sandbox = Sandbox()
    merchant = web.Application()
    merchant.router.add_post("/payments/webhook", sandbox.take_webhook)
    runner = web.AppRunner(merchant)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    webhook_url = f"http://127.0.0.1:{runner.addresses[0][1]}/payments/webhook"
    dependencies = Dependencies(clock=sandbox.now, webhook_retry_after=(0.0,) * 5)
    try:
        async with (
            serve(sandbox.settings, webhook_url, dependencies=dependencies) as sandbox.url,
            aiohttp.ClientSession() as sandbox.session,
        ):
            await scenario(sandbox)
    finally:
        await runner.cleanup()


@pytest.fixture
def run_scenario() -> Callable[[Callable[[Sandbox], Awaitable[None]]], None]:
    """Runs a scenario in its own sandbox."""
    return lambda scenario: asyncio.run(_run(scenario))
