"""A payment, and the only ways in which its status may change (PAY-003).

PENDING ── the right amount was paid ──▶ SUCCESS ── refunded, in part or in full ──▶ REFUNDED
   └────── never paid, wrong amount, hold ended ──▶ FAILED, and what was paid is returned (a reversal)

A declined attempt ends nothing: the payment gateway accepts several attempts on one payment, and the buyer may try
again until the hold ends.

Money is returned only for a payment that is recorded as FAILED, or for a recorded refund: never on a stale reading.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from common.domain.ids import EventId, PaymentId, ReservationId, UserId
from functions.payments.domain.payment_gateway import GatewayView


class PaymentStatus(StrEnum):
    PENDING = "PENDING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


@dataclass(frozen=True)
class Payment:
    id: PaymentId
    payment_key: str
    reservation_id: ReservationId
    event_id: EventId
    user_id: UserId
    order_name: str
    amount: int  # won
    method: str
    status: PaymentStatus
    created_at: datetime
    preregistered_at: datetime | None = None
    portone_transaction_id: str | None = None
    failure_reason: str | None = None
    refunded_amount: int = 0
    paid_at: datetime | None = None
    reversal_due_since: datetime | None = None  # when the gateway view showed money for it, though it is FAILED
    declined_reason: str | None = None  # of its last attempt, as a gateway view has just shown it; not stored

    @property
    def is_paid(self) -> bool:
        """It succeeded, refunded or not. From then on no gateway view changes it."""
        return self.status in (PaymentStatus.SUCCESS, PaymentStatus.REFUNDED)

    def succeeded(self, view: GatewayView, now: datetime) -> Self:
        return replace(
            self,
            status=PaymentStatus.SUCCESS,
            paid_at=view.paid_at or now,
            portone_transaction_id=view.transaction_id,
        )

    def failed(self, reason: str) -> Self:
        return replace(self, status=PaymentStatus.FAILED, failure_reason=reason)


@dataclass(frozen=True)
class Succeed:
    """The amount was paid: PENDING → SUCCESS."""


@dataclass(frozen=True)
class Fail:
    """The amount was not paid, or must not be kept: PENDING → FAILED."""

    reason: str


@dataclass(frozen=True)
class Decline:
    """The last attempt was declined: it stays PENDING, and the buyer may make another."""

    reason: str


@dataclass(frozen=True)
class Reverse:
    """Money was paid for a payment that is FAILED: cancel it at the payment gateway."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing is decided yet, or nothing is left to do."""


Step = Succeed | Fail | Decline | Reverse | Wait


def next_step(payment: Payment, view: GatewayView | None) -> Step:
    """What a gateway view requires of a payment: the one decision behind confirm, webhook and settle.

    The same view leads to the same end, in any order and however often it is read.
    """
    if view is None:
        return Wait()
    if payment.status is PaymentStatus.PENDING:
        if view.is_paid:
            if not view.is_trusted:
                return Fail("WRONG_CHANNEL")
            return Succeed() if view.total == payment.amount and not view.cancelled else Fail("AMOUNT_MISMATCH")
        if view.status == "CANCELLED":
            return Fail(view.status)
        if view.status == "FAILED":
            return Decline(view.failure or view.status)
        return Wait()
    if payment.status is PaymentStatus.FAILED and view.is_paid:
        return Reverse(payment.failure_reason or "FAILED")
    return Wait()
