"""PortOne V2's REST API: the payments part, and the guard in front of all of it.

Paths, statuses, answers and error types are those of https://developers.portone.io/api/rest-v2.
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from local.sandbox.bank import Attempt, Bank, Cancellation, Payment, Refusal, Refused, Status
from local.sandbox.bodies import InvalidBody, OutsideBody, read_body, refuse
from local.sandbox.clock import rfc3339
from local.sandbox.faults import Faults, Mode
from local.sandbox.idempotency import Answer, Claim, IdempotencyKeys, well_formed
from local.sandbox.settings import Settings

Handler = Callable[[web.Request], Awaitable[dict[str, Any]]]
"""Answers the body of a 200, or raises `PortOneError`, `Refused` or `InvalidBody`."""

_STATUS_OF: Mapping[Refusal, HTTPStatus] = {
    Refusal.ALREADY_PAID: HTTPStatus.CONFLICT,
    Refusal.CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN: HTTPStatus.CONFLICT,
    Refusal.CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT: HTTPStatus.CONFLICT,
    Refusal.INFORMATION_MISMATCH: HTTPStatus.CONFLICT,
    Refusal.INVALID_PAYMENT_TOKEN: HTTPStatus.BAD_REQUEST,
    Refusal.PAYMENT_ALREADY_CANCELLED: HTTPStatus.CONFLICT,
    Refusal.PAYMENT_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Refusal.PAYMENT_NOT_PAID: HTTPStatus.CONFLICT,
    Refusal.PG_PROVIDER: HTTPStatus.BAD_GATEWAY,
}

_MAX_WON = 10**12  # far above any ticket; keeps amounts inside the int64 PortOne's schema declares


class PreRegisterBody(OutsideBody):
    """`POST /payments/{id}/pre-register`."""

    total_amount: int = Field(ge=1, le=_MAX_WON)
    currency: Literal["KRW"]
    store_id: str | None = None


class ConfirmBody(OutsideBody):
    """`POST /payments/{id}/confirm`."""

    payment_token: str
    total_amount: int | None = None
    currency: str | None = None
    tx_id: str | None = None
    store_id: str | None = None


class CancelBody(OutsideBody):
    """`POST /payments/{id}/cancel`."""

    reason: str = Field(min_length=1)
    amount: int | None = Field(default=None, ge=1)
    current_cancellable_amount: int | None = Field(default=None, ge=0)
    store_id: str | None = None


class PortOneError(Exception):
    """An answer other than 200, in PortOne's shape."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


class Guard:
    """What every PortOne request passes: faults, the secret, the idempotency key, and errors in PortOne's shape."""

    def __init__(self, settings: Settings, faults: Faults, keys: IdempotencyKeys) -> None:
        self._settings = settings
        self._faults = faults
        self._keys = keys

    def __call__(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """`handler` behind the guard. It must not await once it has begun to change anything."""

        async def guarded(request: web.Request) -> web.Response:
            fault = self._faults.draw()
            if fault.mode is Mode.ERROR:
                return _outage(request)
            if not self._authorized(request):
                return refuse(401, "UNAUTHORIZED", "The Authorization header does not hold the API secret")
            key = request.headers.get("Idempotency-Key")
            if key is None or request.method == "GET":  # on GET PortOne ignores the key
                answer = await _carry_out(handler, request)
                await fault.delay()
                return answer.response()
            if not well_formed(key):
                return refuse(400, "INVALID_REQUEST", 'Idempotency-Key must be 16 to 256 ASCII characters in "quotes"')
            claimed = self._keys.claim(key, await _fingerprint(request))
            if claimed is Claim.OUTSTANDING:
                return refuse(
                    409, "IDEMPOTENCY_OUTSTANDING_REQUEST", "The first request with this key is being carried out"
                )
            if claimed is Claim.REUSED:
                return refuse(422, "IDEMPOTENCY_KEY_REUSED", "This key came with another request before")
            if isinstance(claimed, Answer):
                await fault.delay()
                return claimed.response()
            try:
                answer = await _carry_out(handler, request)
            except BaseException:
                self._keys.release(key)
                raise
            try:
                await fault.delay()
            finally:
                # A caller that went away finds its answer under the key: its request was carried out all the same.
                self._keys.answer(key, answer)
            return answer.response()

        return guarded

    def own_store(self, store_id: str | None) -> None:
        """Refuses another merchant's store with 403 FORBIDDEN. None stands for the secret's own."""
        if store_id is not None and store_id != self._settings.portone_store_id:
            raise PortOneError(403, "FORBIDDEN", "The secret does not open this store")

    def _authorized(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        wanted = f"PortOne {self._settings.portone_api_secret}"
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


class PortOnePayments:
    """The payments a merchant's server sees."""

    def __init__(self, settings: Settings, bank: Bank, guard: Guard) -> None:
        self._settings = settings
        self._bank = bank
        self._guard = guard

    def routes(self) -> list[web.RouteDef]:
        """`/payments/{id}` and what is under it."""
        return [
            web.post("/payments/{payment_id}/pre-register", self._guard(self._pre_register)),
            web.get("/payments/{payment_id}", self._guard(self._get)),
            web.post("/payments/{payment_id}/confirm", self._guard(self._confirm)),
            web.post("/payments/{payment_id}/cancel", self._guard(self._cancel)),
        ]

    async def _pre_register(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, PreRegisterBody)
        self._guard.own_store(body.store_id)
        self._bank.pre_register(request.match_info["payment_id"], body.total_amount)
        return {}

    async def _get(self, request: web.Request) -> dict[str, Any]:
        self._guard.own_store(request.query.get("storeId"))
        return self._payment(*self._bank.attempted(request.match_info["payment_id"]))

    async def _confirm(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, ConfirmBody)
        self._guard.own_store(body.store_id)
        if body.currency not in (None, "KRW"):
            raise Refused(Refusal.INFORMATION_MISMATCH, "currency is not the payment's")
        payment_id = request.match_info["payment_id"]
        self._bank.confirm(payment_id, body.payment_token, total_amount=body.total_amount, transaction_id=body.tx_id)
        paid = self._payment(*self._bank.attempted(payment_id))
        return {"pgTxId": paid["pgTxId"], "paidAt": paid["paidAt"]}

    async def _cancel(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, CancelBody)
        self._guard.own_store(body.store_id)
        cancellation = self._bank.cancel(
            request.match_info["payment_id"],
            body.reason,
            amount=body.amount,
            current_cancellable_amount=body.current_cancellable_amount,
        )
        return {"cancellation": _cancellation(cancellation)}

    def _payment(self, payment: Payment, attempt: Attempt) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "status": payment.status,
            "id": payment.id,
            "transactionId": attempt.transaction_id,
            "merchantId": "merchant-sandbox",
            "storeId": self._settings.portone_store_id,
            "method": {"type": "PaymentMethodCard"},
            "channel": {
                "type": "TEST",
                "key": self._settings.portone_channel_key,
                "pgProvider": "TOSSPAYMENTS",
                "pgMerchantId": "sandbox",
            },
            "version": "V2",
            "requestedAt": rfc3339(payment.requested_at),
            "updatedAt": rfc3339(payment.changed_at),
            "statusChangedAt": rfc3339(payment.changed_at),
            "orderName": "Sandbox order",  # the browser names it at PortOne, and no browser comes by here
            "amount": {
                "total": attempt.amount,
                "taxFree": 0,
                "discount": 0,
                "paid": payment.paid_amount,
                "cancelled": payment.cancelled_amount,
                "cancelledTaxFree": 0,
            },
            "currency": "KRW",
            "customer": {},
        }
        if payment.paid_at is not None:
            shown |= {"paidAt": rfc3339(payment.paid_at), "pgTxId": _pg_transaction_id(attempt)}
        if payment.failed_at is not None:
            shown["failedAt"] = rfc3339(payment.failed_at)
            shown["failure"] = {
                "reason": "The card company refused the payment",
                "pgCode": "REJECT_CARD_COMPANY",
                "pgMessage": "The card company refused the payment",
            }
        if payment.cancellations:
            shown["cancellations"] = [_cancellation(cancellation) for cancellation in payment.cancellations]
        if payment.status is Status.CANCELLED:
            shown["cancelledAt"] = rfc3339(payment.changed_at)
        return shown


def _cancellation(cancellation: Cancellation) -> dict[str, Any]:
    return {
        "status": "SUCCEEDED",
        "id": cancellation.id,
        "totalAmount": cancellation.amount,
        "taxFreeAmount": 0,
        "vatAmount": 0,
        "reason": cancellation.reason,
        "requestedAt": rfc3339(cancellation.at),
        "cancelledAt": rfc3339(cancellation.at),
    }


def _pg_transaction_id(attempt: Attempt) -> str:
    return f"pg-{attempt.transaction_id}"


async def _carry_out(handler: Handler, request: web.Request) -> Answer:
    try:
        return _answer(200, await handler(request))
    except InvalidBody as error:
        return _answer(400, {"type": "INVALID_REQUEST", "message": str(error)})
    except PortOneError as error:
        return _answer(error.status, {"type": error.kind, "message": error.message})
    except Refused as error:
        body = {"type": error.refusal, "message": error.message}
        if error.refusal is Refusal.PG_PROVIDER:
            body |= {"pgCode": "REJECT_CARD_COMPANY", "pgMessage": error.message}
        return _answer(_STATUS_OF[error.refusal], body)


def _answer(status: int, body: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(body).encode())


async def _fingerprint(request: web.Request) -> str:
    body = await request.read()
    return hashlib.sha256(b"\n".join((request.method.encode(), request.raw_path.encode(), body))).hexdigest()


def _outage(request: web.Request) -> web.Response:
    # Cancel answers what PortOne documents for trouble behind it. Confirm must not: there 502 PG_PROVIDER means that
    # the card was refused, and an outage is not that.
    if request.path.endswith("/cancel"):
        return refuse(502, "PG_PROVIDER", "The PG is out of order", pgCode="SANDBOX_FAULT", pgMessage="out of order")
    return refuse(500, "INTERNAL_SERVER_ERROR", "PortOne is out of order")
