"""A payment as its buyer sees it (`docs/api.md`, Payments)."""

from typing import Self

from common.domain.ids import PaymentId, ReservationId
from common.domain.model import Model, Moment
from functions.payments.domain.payment import Payment, PaymentStatus


class PaymentResponse(Model):
    payment_id: PaymentId
    reservation_id: ReservationId
    amount: int
    status: PaymentStatus
    method: str
    paid_at: Moment | None
    refunded_amount: int
    failure_reason: str | None

    @classmethod
    def of(cls, payment: Payment) -> Self:
        return cls(
            payment_id=payment.id,
            reservation_id=payment.reservation_id,
            amount=payment.amount,
            status=payment.status,
            method=payment.method,
            paid_at=payment.paid_at,
            refunded_amount=payment.refunded_amount,
            failure_reason=payment.failure_reason,
        )
