"""PortOne's webhooks (version 2024-04-25): signed as in https://www.standardwebhooks.com, sent until accepted."""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence

import aiohttp
from standardwebhooks import Webhook

from local.sandbox.clock import Clock, rfc3339
from local.sandbox.payments import Change
from local.sandbox.settings import Settings

_log = logging.getLogger(__name__)

RETRY_AFTER = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each of PortOne's five retries. PortOne does not publish its own intervals."""

_ATTEMPT_TIMEOUT = aiohttp.ClientTimeout(total=30)


def webhook_body(change: Change, store_id: str) -> str:
    """What PortOne sends about a change."""
    data = {"storeId": store_id, "paymentId": change.payment_id, "transactionId": change.transaction_id}
    if change.cancellation_id is not None:
        data["cancellationId"] = change.cancellation_id
    return json.dumps({"type": f"Transaction.{change.webhook_type}", "timestamp": rfc3339(change.at), "data": data})


class WebhookSender:
    """Sends each change on its own, so webhooks arrive in any order, as from PortOne.

    Must be created inside a running event loop.
    """

    def __init__(
        self,
        url: str,
        settings: Settings,
        clock: Clock,
        new_id: Callable[[], str],
        retry_after: Sequence[float] = RETRY_AFTER,
    ) -> None:
        self._url = url
        self._store_id = settings.portone_store_id
        self._signer = Webhook(settings.portone_webhook_secret)
        self._clock = clock
        self._new_id = new_id
        self._retry_after = retry_after
        self._session = aiohttp.ClientSession(timeout=_ATTEMPT_TIMEOUT)
        self._deliveries: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Cancels deliveries in progress."""
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        await self._session.close()

    def send(self, change: Change) -> None:
        """Starts to deliver `change` and returns at once."""
        delivery = asyncio.get_running_loop().create_task(self._deliver(change))
        # The loop keeps only weak references to tasks.
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)

    async def _deliver(self, change: Change) -> None:
        webhook_id = self._new_id()  # the same on every retry, so that the receiver recognizes a repetition
        body = webhook_body(change, self._store_id)
        for wait in (*self._retry_after, None):
            outcome = await self._attempt(webhook_id, body)
            if outcome is None:
                return
            _log.warning("webhook %s of payment %s: %s", change.webhook_type, change.payment_id, outcome)
            if wait is not None:
                await asyncio.sleep(wait)
        _log.error("webhook %s of payment %s given up", change.webhook_type, change.payment_id)

    async def _attempt(self, webhook_id: str, body: str) -> str | None:
        """None if the webhook was accepted, else the error."""
        sent_at = self._clock()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": self._signer.sign(webhook_id, sent_at, body),
        }
        try:
            async with self._session.post(
                self._url, data=body.encode(), headers=headers, allow_redirects=False
            ) as response:
                return None if 200 <= response.status < 300 else f"answered {response.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"not delivered ({type(error).__name__})"
