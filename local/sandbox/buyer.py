"""The buyer at the payment window, and a look at what the bank holds: for tests and demos."""

from enum import StrEnum
from typing import Any

from aiohttp import web
from pydantic import Field

from local.sandbox.bank import Bank, Payment, Refusal, Refused
from local.sandbox.bodies import SandboxBody, read_body, refuse


class Outcome(StrEnum):
    """How the payment window ends."""

    AUTHORIZED = "AUTHORIZED"  # manual approval: the merchant's confirm takes the money
    PAID = "PAID"  # automatic approval: the money is taken
    FAILED = "FAILED"


class PayBody(SandboxBody):
    """The body of `POST /sandbox/payments/{id}/pay`. `amount` in won; by default what was pre-registered."""

    outcome: Outcome
    amount: int | None = Field(default=None, ge=1, le=10**12)


class Buyer:
    """Someone with a card."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

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
                return web.json_response({"paymentToken": self._bank.authorize(payment_id, body.amount)})
            act = self._bank.pay if body.outcome is Outcome.PAID else self._bank.fail
            return web.json_response({"status": act(payment_id, body.amount).status})
        except Refused as error:
            return _refuse(error)

    async def _get(self, request: web.Request) -> web.Response:
        try:
            payment = self._bank.known(request.match_info["payment_id"])
        except Refused as error:
            return _refuse(error)
        return web.json_response(_held(payment))

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": [{"id": each.id, **_held(each)} for each in self._bank.all()]})


def _held(payment: Payment) -> dict[str, Any]:
    return {
        "status": payment.status,
        "paidAmount": payment.paid_amount,
        "cancelledAmount": payment.cancelled_amount,
    }


def _refuse(error: Refused) -> web.Response:
    status = 404 if error.refusal is Refusal.PAYMENT_NOT_FOUND else 409
    return refuse(status, error.refusal, error.message)
