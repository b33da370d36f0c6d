"""PortOne V2's REST API: the payments, and the middleware for all endpoints.

Paths, statuses, responses and error types are those of https://developers.portone.io/api/rest-v2.
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from local.sandbox.bodies import InvalidBody, OutsideBody, error_response, read_body
from local.sandbox.clock import rfc3339
from local.sandbox.faults import Faults, Mode
from local.sandbox.idempotency import IdempotencyKeys, KeyState, StoredResponse, well_formed
from local.sandbox.payments import Attempt, Cancellation, ErrorType, Payment, PaymentRejected, Payments, Status
from local.sandbox.settings import Settings

Handler = Callable[[web.Request], Awaitable[dict[str, Any]]]
"""Returns the body of a 200, or raises `PortOneError`, `PaymentRejected` or `InvalidBody`."""

_STATUS_OF: Mapping[ErrorType, HTTPStatus] = {
    ErrorType.ALREADY_PAID: HTTPStatus.CONFLICT,
    ErrorType.CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN: HTTPStatus.CONFLICT,
    ErrorType.CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT: HTTPStatus.CONFLICT,
    ErrorType.INFORMATION_MISMATCH: HTTPStatus.CONFLICT,
    ErrorType.INVALID_PAYMENT_TOKEN: HTTPStatus.BAD_REQUEST,
    ErrorType.PAYMENT_ALREADY_CANCELLED: HTTPStatus.CONFLICT,
    ErrorType.PAYMENT_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorType.PAYMENT_NOT_PAID: HTTPStatus.CONFLICT,
    ErrorType.PG_PROVIDER: HTTPStatus.BAD_GATEWAY,
}

_MAX_WON = 10**12  # far above any price; keeps amounts inside the int64 of PortOne's schema


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
    """A response other than 200, in PortOne's format."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


class PortOneMiddleware:
    """Applies faults, the secret check, the idempotency key and PortOne's error format to every request."""

    def __init__(self, settings: Settings, faults: Faults, keys: IdempotencyKeys) -> None:
        self._settings = settings
        self._faults = faults
        self._keys = keys

    def __call__(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Wraps `handler`, which must not await after its first change."""

        async def handle(request: web.Request) -> web.Response:
            fault = self._faults.draw()
            if fault.mode is Mode.ERROR:
                return _error_fault(request)
            if not self._authorized(request):
                return error_response(401, "UNAUTHORIZED", "The Authorization header does not contain the API secret")
            key = request.headers.get("Idempotency-Key")
            if key is None or request.method == "GET":  # on GET PortOne ignores the key
                response = await _carry_out(handler, request)
                await fault.delay()
                return response.response()
            if not well_formed(key):
                return error_response(
                    400, "INVALID_REQUEST", 'Idempotency-Key must be 16 to 256 ASCII characters in "quotes"'
                )
            state = self._keys.claim(key, await _fingerprint(request))
            if state is KeyState.OUTSTANDING:
                return error_response(
                    409, "IDEMPOTENCY_OUTSTANDING_REQUEST", "The first request with this key is still in progress"
                )
            if state is KeyState.REUSED:
                return error_response(422, "IDEMPOTENCY_KEY_REUSED", "This key was used for another request")
            if isinstance(state, StoredResponse):
                await fault.delay()
                return state.response()
            try:
                response = await _carry_out(handler, request)
            except BaseException:
                self._keys.release(key)
                raise
            try:
                await fault.delay()
            finally:
                # Even if the client has disconnected: its request was carried out, and a retry gets this response.
                self._keys.store(key, response)
            return response.response()

        return handle

    def check_store(self, store_id: str | None) -> None:
        """Rejects another merchant's store with 403 FORBIDDEN. None means the secret's own store."""
        if store_id is not None and store_id != self._settings.portone_store_id:
            raise PortOneError(403, "FORBIDDEN", "The secret is not valid for this store")

    def _authorized(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "")
        wanted = f"PortOne {self._settings.portone_api_secret}"
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


class PaymentsApi:
    """The payments API for a merchant's server."""

    def __init__(self, settings: Settings, payments: Payments, middleware: PortOneMiddleware) -> None:
        self._settings = settings
        self._payments = payments
        self._middleware = middleware

    def routes(self) -> list[web.RouteDef]:
        """`/payments/{id}` and what is under it."""
        return [
            web.post("/payments/{payment_id}/pre-register", self._middleware(self._pre_register)),
            web.get("/payments/{payment_id}", self._middleware(self._get)),
            web.post("/payments/{payment_id}/confirm", self._middleware(self._confirm)),
            web.post("/payments/{payment_id}/cancel", self._middleware(self._cancel)),
        ]

    async def _pre_register(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, PreRegisterBody)
        self._middleware.check_store(body.store_id)
        self._payments.pre_register(request.match_info["payment_id"], body.total_amount)
        return {}

    async def _get(self, request: web.Request) -> dict[str, Any]:
        self._middleware.check_store(request.query.get("storeId"))
        return self._payment(*self._payments.get_with_attempt(request.match_info["payment_id"]))

    async def _confirm(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, ConfirmBody)
        self._middleware.check_store(body.store_id)
        if body.currency not in (None, "KRW"):
            raise PaymentRejected(ErrorType.INFORMATION_MISMATCH, "currency is not the payment's")
        payment_id = request.match_info["payment_id"]
        self._payments.confirm(
            payment_id, body.payment_token, total_amount=body.total_amount, transaction_id=body.tx_id
        )
        paid = self._payment(*self._payments.get_with_attempt(payment_id))
        return {"pgTxId": paid["pgTxId"], "paidAt": paid["paidAt"]}

    async def _cancel(self, request: web.Request) -> dict[str, Any]:
        body = await read_body(request, CancelBody)
        self._middleware.check_store(body.store_id)
        cancellation = self._payments.cancel(
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
            "orderName": "Sandbox order",  # at PortOne the browser sets it; the sandbox has none
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
                "reason": "The card company declined the payment",
                "pgCode": "REJECT_CARD_COMPANY",
                "pgMessage": "The card company declined the payment",
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


async def _carry_out(handler: Handler, request: web.Request) -> StoredResponse:
    try:
        return _stored_response(200, await handler(request))
    except InvalidBody as error:
        return _stored_response(400, {"type": "INVALID_REQUEST", "message": str(error)})
    except PortOneError as error:
        return _stored_response(error.status, {"type": error.kind, "message": error.message})
    except PaymentRejected as error:
        body = {"type": error.error_type, "message": error.message}
        if error.error_type is ErrorType.PG_PROVIDER:
            body |= {"pgCode": "REJECT_CARD_COMPANY", "pgMessage": error.message}
        return _stored_response(_STATUS_OF[error.error_type], body)


def _stored_response(status: int, body: Mapping[str, Any]) -> StoredResponse:
    return StoredResponse(status, json.dumps(body).encode())


async def _fingerprint(request: web.Request) -> str:
    body = await request.read()
    return hashlib.sha256(b"\n".join((request.method.encode(), request.raw_path.encode(), body))).hexdigest()


def _error_fault(request: web.Request) -> web.Response:
    # Cancel returns what PortOne documents for a failure of the PG. Confirm must not: there 502 PG_PROVIDER means that
    # the card was declined.
    if request.path.endswith("/cancel"):
        return error_response(
            502, "PG_PROVIDER", "The PG is unavailable", pgCode="SANDBOX_FAULT", pgMessage="unavailable"
        )
    return error_response(500, "INTERNAL_SERVER_ERROR", "PortOne is unavailable")
