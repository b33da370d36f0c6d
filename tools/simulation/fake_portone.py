"""The sandbox's PortOne in a thread of this process. It keeps its webhooks, so that a test delivers them itself."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from aiohttp import web

from common.domain.clock import Clock
from local.sandbox.buyer import Buyer
from local.sandbox.faults import Faults
from local.sandbox.idempotency import IdempotencyKeys
from local.sandbox.payments import Change, Payments
from local.sandbox.portone import PaymentsApi, PortOneMiddleware
from local.sandbox.server import HOST
from local.sandbox.settings import Settings
from local.sandbox.webhooks import webhook_body
from tools.invariants import BankPayment

SETTINGS = Settings()
ResultT = TypeVar("ResultT")


class FakePortOne:
    """Each `open` starts a new PortOne without payments, on a new port."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._runner: web.AppRunner | None = None
        self.webhooks: list[str] = []  # bodies, oldest first
        self.url = ""

    def open(self, clock: Clock) -> None:
        self.close()
        self.webhooks = []
        numbers = count(1)
        self._payments = _CountingPayments(clock, lambda: f"portone-{next(numbers)}", self._keep_webhook)
        faults = Faults()
        middleware = PortOneMiddleware(SETTINGS, faults, IdempotencyKeys(clock))
        app = web.Application()
        for party in (PaymentsApi(SETTINGS, self._payments, middleware), Buyer(self._payments), faults):
            app.router.add_routes(party.routes())
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
        self._await(self._runner.setup())
        self._await(web.TCPSite(self._runner, HOST, 0).start())
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"

    def close(self) -> None:
        if self._runner is not None:
            self._await(self._runner.cleanup())
            self._runner = None

    @property
    def pre_registrations(self) -> int:
        """Number of pre-registrations."""
        return self._payments.pre_registrations

    def holdings(self) -> dict[UUID, BankPayment]:
        return {UUID(each.id): BankPayment(each.paid_amount, each.cancelled_amount) for each in self._payments.all()}

    def _keep_webhook(self, change: Change) -> None:
        self.webhooks.append(webhook_body(change, SETTINGS.portone_store_id))

    def _await(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def end(self) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)


class _CountingPayments(Payments):
    pre_registrations = 0

    def pre_register(self, payment_id: str, amount: int) -> None:
        self.pre_registrations += 1
        super().pre_register(payment_id, amount)


@contextmanager
def fake_portone() -> Iterator[FakePortOne]:
    portone = FakePortOne()
    try:
        yield portone
    finally:
        portone.end()
