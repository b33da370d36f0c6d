"""POST /payments/confirm: the hold is checked once more, then the money moves (PAY-010)."""

from typing import Annotated, Literal

from pydantic import Field

from common.domain.ids import PaymentId
from common.domain.model import Model, Moment, VisibleText
from common.domain.shared_errors import DomainError, HoldExpired, NotFound
from common.http.endpoint import endpoint
from common.http.request import Body, Request, User
from common.protection.rate_class import PAYMENT
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.payments.domain.errors import (
    AmountMismatch,
    PaymentInProgress,
    PaymentNotCompleted,
    PaymentTimeout,
    PaymentUnavailable,
    PaymentUnsuccessful,
)
from functions.payments.domain.payment import PaymentStatus
from functions.payments.wiring import purchase


class ConfirmBody(Body):
    payment_id: PaymentId
    # Manual approval: what PortOne's browser SDK returned. Without it the buyer has paid and that is verified.
    portone_payment_token: Annotated[VisibleText, Field(max_length=512)] | None = None


class ConfirmedResponse(Model):
    payment_id: PaymentId
    status: Literal["SUCCESS"] = "SUCCESS"
    paid_at: Moment | None


@endpoint(
    limit=PAYMENT,
    raises=[
        *QUEUE_TOKEN_ERRORS,
        NotFound,
        PaymentUnsuccessful,
        PaymentNotCompleted,
        PaymentInProgress,
        AmountMismatch,
        HoldExpired,
        PaymentUnavailable,
        PaymentTimeout,
    ],
)
def handler(request: Request, user: User, body: ConfirmBody) -> ConfirmedResponse:
    confirm, user_id = purchase.confirm_payment(), user.id
    payment = confirm.find(user_id, body.payment_id)
    try:
        purchase.queue_tokens().check_payment(request.queue_token, payment.reservation_id)
    except DomainError:
        # The token ends with the purchase (RSV-013), and how that ended must still be answered. The webhook may end it
        # at this moment: so the payment is read again after the token.
        if confirm.find(user_id, body.payment_id).status is PaymentStatus.PENDING:
            raise
    paid = confirm.confirm(user_id, body.payment_id, body.portone_payment_token)
    return ConfirmedResponse(payment_id=paid.id, paid_at=paid.paid_at)
