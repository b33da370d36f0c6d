"""PortOne V2's REST API; every answer is kept in full (docs/requirements.md, Data)."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from common.domain.ids import PaymentId
from common.protection.circuit_breaker import Attempt, CircuitOpen
from functions.payments.domain.payment_gateway import GatewayRejected, GatewayUnavailable, GatewayView

TIMEOUT_SECONDS = 10.0  # PAY-008

AddAnswer = Callable[[PaymentId, str, int, Any], None]  # payment id, call, HTTP status, answer


def portone_client(url: str, api_secret: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, headers={"Authorization": f"PortOne {api_secret}"})


class PortOne:
    def __init__(self, client: httpx.Client, add_answer: AddAnswer, attempt: Attempt, channel_key: str) -> None:
        self._client = client
        self._channel_key = channel_key
        self._add_answer = add_answer
        self._attempt = attempt

    def pre_register(self, payment_id: PaymentId, amount: int) -> None:
        """Register the amount, so that PortOne rejects any other (PAY-007)."""
        body = {"totalAmount": amount, "currency": "KRW"}
        self._write(payment_id, "pre-register", body, f"pre-register-{payment_id}-{amount}")

    def confirm(self, payment_id: PaymentId, payment_token: str, amount: int, key: str) -> None:
        """Manual approval: the money moves now. The same `key` again is the same request."""
        body = {"paymentToken": payment_token, "totalAmount": amount, "currency": "KRW"}
        self._write(payment_id, "confirm", body, key)

    def cancel(self, payment_id: PaymentId, amount: int, reason: str, cancellable: int, key: str) -> None:
        """Return `amount`, if `cancellable` is the amount that can still be returned.

        A cancellation that PortOne has only accepted (REQUESTED) raises GatewayRejected: the view shows its outcome.
        """
        body = {"reason": reason, "amount": amount, "currentCancellableAmount": cancellable}
        answer = self._write(payment_id, "cancel", body, key)
        status = (answer.get("cancellation") or {}).get("status")
        if status != "SUCCEEDED":
            raise GatewayRejected(f"CANCELLATION_{status}")

    def view(self, payment_id: PaymentId) -> GatewayView | None:
        """The payment as PortOne reports it; None until the buyer has begun to pay."""
        try:
            found = self._send(payment_id, "view", self._client.build_request("GET", f"/payments/{payment_id}"))
        except GatewayRejected as rejected:
            if rejected.kind == "PAYMENT_NOT_FOUND":
                return None
            raise
        paid_at = found.get("paidAt")
        return GatewayView(
            status=found["status"],
            total=found["amount"]["total"],
            cancelled=found["amount"].get("cancelled", 0),
            transaction_id=found.get("transactionId"),
            paid_at=datetime.fromisoformat(paid_at) if paid_at else None,
            failure=(found.get("failure") or {}).get("reason"),
            is_trusted=found.get("currency") == "KRW" and self._is_trusted(found.get("channel") or {}),
        )

    def _is_trusted(self, channel: dict[str, Any]) -> bool:
        """Not every provider reports the channel's key; a channel without one must at least take real money."""
        key = channel.get("key")
        return channel.get("type") == "LIVE" if key is None else key == self._channel_key

    def _write(self, payment_id: PaymentId, call: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        path = f"/payments/{quote(str(payment_id))}/{call}"
        headers = {"Idempotency-Key": f'"{key}"'}  # the quotes are part of it
        return self._send(payment_id, call, self._client.build_request("POST", path, json=body, headers=headers))

    def _send(self, payment_id: PaymentId, call: str, request: httpx.Request) -> dict[str, Any]:
        try:
            with self._attempt():
                return self._exchange(payment_id, call, request)
        except CircuitOpen as unavailable:
            raise GatewayUnavailable(timed_out=False, retry_after=unavailable.retry_after) from None

    def _exchange(self, payment_id: PaymentId, call: str, request: httpx.Request) -> dict[str, Any]:
        try:
            response = self._client.send(request)
            answer = response.json()
        except httpx.TimeoutException as error:
            raise GatewayUnavailable(timed_out=True) from error
        except (httpx.HTTPError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise GatewayUnavailable(timed_out=False) from error
        self._add_answer(payment_id, call, response.status_code, answer)
        if response.is_success and isinstance(answer, dict):
            return answer
        kind = answer.get("type", "") if isinstance(answer, dict) else ""
        # A 5xx is an outage, except a card company's own rejection, which PortOne passes on as a 502.
        if response.status_code >= 500 and kind != "PG_PROVIDER":
            raise GatewayUnavailable(timed_out=False)
        raise GatewayRejected(kind)
