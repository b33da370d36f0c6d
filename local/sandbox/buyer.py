"""The buyer at the payment window, and the state of payments, for tests and demos."""

from enum import StrEnum
from typing import Any

from aiohttp import web
from pydantic import Field

from local.sandbox.bodies import SandboxBody, error_response, read_body
from local.sandbox.payments import ErrorType, Payment, PaymentRejected, Payments


class Outcome(StrEnum):
    """How the payment window ends."""

    AUTHORIZED = "AUTHORIZED"  # manual approval: the merchant's confirm takes the money
    PAID = "PAID"  # automatic approval: the money is taken
    FAILED = "FAILED"


class PayBody(SandboxBody):
    """The body of `POST /sandbox/payments/{id}/pay`. `amount` in won; by default the pre-registered amount."""

    outcome: Outcome
    amount: int | None = Field(default=None, ge=1, le=10**12)


class Buyer:
    """The endpoints that act as a buyer with a card."""

    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    def routes(self) -> list[web.RouteDef]:
        """`/sandbox/payments/**`."""
        return [
            web.post("/sandbox/payments/{payment_id}/pay", self._pay),
            web.get("/sandbox/payments", self._list),
            web.get("/sandbox/payments/{payment_id}", self._get),
        ]

    async def _pay(self, request: web.Request) -> web.Response:
        body = await read_body(request, PayBody)
        payment_id = request.match_info["payment_id"]
        try:
            if body.outcome is Outcome.AUTHORIZED:
                return web.json_response({"paymentToken": self._payments.authorize(payment_id, body.amount)})
            act = self._payments.pay if body.outcome is Outcome.PAID else self._payments.fail
            return web.json_response({"status": act(payment_id, body.amount).status})
        except PaymentRejected as error:
            return _payment_error(error)

    async def _get(self, request: web.Request) -> web.Response:
        try:
            payment = self._payments.get(request.match_info["payment_id"])
        except PaymentRejected as error:
            return _payment_error(error)
        return web.json_response(_state(payment))

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": [{"id": each.id, **_state(each)} for each in self._payments.all()]})


def _state(payment: Payment) -> dict[str, Any]:
    return {
        "status": payment.status,
        "paidAmount": payment.paid_amount,
        "cancelledAmount": payment.cancelled_amount,
    }


def _payment_error(error: PaymentRejected) -> web.Response:
    status = 404 if error.error_type is ErrorType.PAYMENT_NOT_FOUND else 409
    return error_response(status, error.error_type, error.message)
