"""A refund: due from the message that cancels a reservation until the payment gateway has returned the money."""

from dataclasses import dataclass

from common.domain.ids import PaymentId, RefundId
from functions.payments.domain.payment import Payment
from functions.payments.domain.payment_gateway import GatewayView


@dataclass(frozen=True)
class Refund:
    id: RefundId  # the id of the message that asked for it
    payment_id: PaymentId
    amount: int  # won
    reason: str
    attempts: int = 0  # failed ones

    def amount_left(self, payment: Payment, view: GatewayView) -> int:
        """The part that the gateway has not returned yet; 0 or less if it has returned everything."""
        return min(payment.refunded_amount + self.amount, view.total) - view.cancelled


@dataclass(frozen=True)
class RefundTotals:
    """How many refunds of an event are due and done, and their amounts in won."""

    due: int
    done: int
    amount_due: int
    amount_done: int
