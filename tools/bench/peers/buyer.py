"""One buyer of this stack over HTTP, as a front end does it: queue, hold, payment, ticket."""

import asyncio
import json
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from tools.simulation.crowd_sale import access_tokens, create_event

TIME_LIMIT = 300.0  # seconds after which a buyer counts as failed


class Failed(Exception):
    """The purchase ended neither with a ticket nor as sold out."""


@dataclass
class Outcome:
    """The outcome of one round of buyers."""

    bought: int = 0
    sold_out: int = 0
    failed: list[str] = field(default_factory=list)
    server_errors: int = 0  # responses of 500 and above, retried or not
    busy: int = 0  # of which 503 with Retry-After
    seconds: float = 0.0

    async def count(self, purchase: Awaitable[bool]) -> None:
        """Count one purchase: it ends with a ticket, as sold out, or fails."""
        try:
            if await purchase:
                self.bought += 1
            else:
                self.sold_out += 1
        except (Failed, aiohttp.ClientError, TimeoutError) as failure:
            self.failed.append(f"{type(failure).__name__}: {failure}")


class Shop:
    """An event on a running stack, with the highest admission rate."""

    def __init__(self, stack: Mapping[str, Any], seats: int) -> None:
        self.api, self.sandbox = stack["api"], stack["sandbox"]
        self.event_id, self.seat_ids = create_event(self.api, seats)
        self._access_token = access_tokens(stack)

    async def sell(self, buyers: int, at_once: int) -> Outcome:
        """Let `buyers` buy one seat each, `at_once` of them at a time."""
        outcome = Outcome()
        slots, numbers = asyncio.Semaphore(at_once), iter(range(buyers))
        # Each buyer has a connection, as browsers do.
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:

            async def one_buyer() -> None:
                async with slots:
                    await _Buyer(self, session, outcome, self._access_token(), next(numbers)).run()

            began = time.monotonic()
            await asyncio.gather(*(one_buyer() for _ in range(buyers)))
            outcome.seconds = time.monotonic() - began
        return outcome


class _Buyer:
    def __init__(
        self, shop: Shop, session: aiohttp.ClientSession, outcome: Outcome, access_token: str, number: int
    ) -> None:
        self._shop, self._session, self._outcome = shop, session, outcome
        self._headers = {"Authorization": f"Bearer {access_token}"}
        self._number = number  # selects the seat that this buyer tries first, so that few try the same one
        self._deadline = time.monotonic() + TIME_LIMIT

    async def run(self) -> None:
        await self._outcome.count(self._buy())

    async def _call(
        self, method: str, url: str, body: object = None, *, token: str = "", expect: tuple[int, ...] = (200, 201)
    ) -> tuple[int, Any]:
        """A response with an expected status. Retries a 429 or 503 with Retry-After; raises Failed for any other."""
        headers = self._headers | ({"X-Queue-Token": token} if token else {})
        url = url if url.startswith("http") else self._shop.api + url
        while True:
            async with self._session.request(method, url, json=body, headers=headers) as response:
                status, text, wait = response.status, await response.text(), response.headers.get("Retry-After")
            self._outcome.server_errors += status >= 500
            self._outcome.busy += status == 503 and wait is not None
            if status in expect:
                return status, json.loads(text) if text else None
            if status not in (429, 503) or wait is None or time.monotonic() > self._deadline:
                raise Failed(f"{method} {url.removeprefix(self._shop.api)[:40]}: {status} {text[:120]}")
            await asyncio.sleep(float(wait))

    async def _buy(self) -> bool:
        shop = self._shop
        _, place = await self._call("POST", "/queue/enter", {"eventId": shop.event_id})
        while place["status"] != "ADMITTED":
            # A front end polls again at the estimated admission, if that is before the next poll.
            await self._pause(min(place["pollAfterSeconds"], max(1, place["estimatedWaitSeconds"])))
            _, place = await self._call("GET", f"/queue/status?eventId={shop.event_id}")
        held = await self._hold(place["token"])
        if held is None:
            return False
        body = {"reservationId": held["reservationId"], "paymentKey": uuid4().hex, "method": "CARD"}
        _, payment = await self._call("POST", "/payments", body, token=held["paymentToken"])
        pay = f"{shop.sandbox}/sandbox/payments/{payment['paymentId']}/pay"
        _, approved = await self._call("POST", pay, {"outcome": "AUTHORIZED"})
        body = {"paymentId": payment["paymentId"], "portonePaymentToken": approved["paymentToken"]}
        await self._call("POST", "/payments/confirm", body, token=held["paymentToken"])
        while True:
            _, reservation = await self._call("GET", f"/reservations/{held['reservationId']}")
            if reservation["status"] == "CONFIRMED":
                return bool(reservation["ticket"]["qr"])
            await self._pause(0.25)

    async def _hold(self, token: str) -> Mapping[str, Any] | None:
        """A held seat, or None if all seats are sold."""
        shop = self._shop
        while True:
            _, live = await self._call("GET", f"/reservations/seats/{shop.event_id}", token=token)
            if live["seats"]["sold"] == live["seats"]["total"]:
                return None
            taken = {*live["held"], *live["sold"]}
            free = [seat for seat in shop.seat_ids if seat not in taken]
            if not free:
                await self._pause(1)  # all are held; one may become free again
                continue
            body = {"eventId": shop.event_id, "seatIds": [free[self._number * 7 % len(free)]]}
            status, held = await self._call("POST", "/reservations/hold", body, token=token, expect=(201, 409))
            if status == 201:
                return dict(held)

    async def _pause(self, seconds: float) -> None:
        if time.monotonic() > self._deadline:
            raise Failed(f"no final answer after {TIME_LIMIT:.0f} s")
        await asyncio.sleep(seconds)
