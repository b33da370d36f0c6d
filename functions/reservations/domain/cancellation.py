"""How a reservation is cancelled: for which reason, and how much of the amount is refunded (RSV-006, EVT-028)."""

from dataclasses import dataclass
from datetime import datetime

from common.domain.ids import PaymentId
from common.domain.model import rfc3339
from functions.reservations.domain.cancellation_fee import fee_percent, next_change
from functions.reservations.domain.errors import CancellationFeeChanged, NotCancellable
from functions.reservations.domain.reservation import CancelReason, Reservation, Status


@dataclass(frozen=True)
class Cancellation:
    reason: CancelReason
    at: datetime
    refund_amount: int = 0  # won
    fee: int = 0  # won, the part of the amount that is kept
    payment_id: PaymentId | None = None  # of a payment that came at the same time


@dataclass(frozen=True)
class CancellationTerms:
    """What cancelling a confirmed reservation costs now; amounts in won."""

    refund_amount: int
    fee: int
    fee_percent: int
    changes_at: datetime | None  # None if the terms stay as they are

    def check_expected(self, fee: int | None) -> None:
        """Raises CancellationFeeChanged if the buyer expects another fee; None expects nothing."""
        if fee not in (None, self.fee):
            raise CancellationFeeChanged(
                refundAmount=self.refund_amount,
                fee=self.fee,
                feePercent=self.fee_percent,
                changesAt=rfc3339(self.changes_at) if self.changes_at else None,
            )


def cancellation_terms(reservation: Reservation, now: datetime) -> CancellationTerms | None:
    """None if it is not confirmed, and on the day of the event and after it: nothing can be cancelled then."""
    if reservation.status is not Status.CONFIRMED:
        return None
    confirmed_at, starts_at = reservation.confirmed_at or now, reservation.event_starts_at
    rescheduled = reservation.rescheduled_at is not None
    percent = fee_percent(now, confirmed_at, starts_at, rescheduled=rescheduled)
    if percent is None:
        return None
    fee = reservation.total_amount * percent // 100
    changes_at = next_change(now, confirmed_at, starts_at, rescheduled=rescheduled)
    return CancellationTerms(reservation.total_amount - fee, fee, percent, changes_at)


def cancel_unpaid(reason: CancelReason, now: datetime) -> Cancellation:
    """A PENDING reservation ends: nothing was paid, so nothing is refunded."""
    return Cancellation(reason, now)


def cancel_for_buyer(
    reservation: Reservation, now: datetime, *, event_cancelled: bool, expected_fee: int | None = None
) -> Cancellation:
    """The buyer cancels: a confirmed reservation costs the day's cancellation fee, unless its event is cancelled.

    Raises NotCancellable on the day of the event and after it, CancellationFeeChanged if the buyer expects another fee.
    A cancelled event refunds everything, whatever fee is expected.
    """
    if event_cancelled:
        return cancel_for_event(reservation, now)
    if reservation.status is not Status.CONFIRMED:
        return cancel_unpaid(CancelReason.USER_REQUEST, now)
    terms = cancellation_terms(reservation, now)
    if terms is None:
        raise NotCancellable()
    terms.check_expected(expected_fee)
    return Cancellation(CancelReason.USER_REQUEST, now, refund_amount=terms.refund_amount, fee=terms.fee)


def cancel_for_event(reservation: Reservation, now: datetime, payment_id: PaymentId | None = None) -> Cancellation:
    """The event is cancelled: whatever was paid is refunded in full, on any day (EVT-028).

    `payment_id` is a payment that came for a PENDING reservation after its event was cancelled.
    """
    paid = reservation.status is Status.CONFIRMED or payment_id is not None
    return Cancellation(
        CancelReason.EVENT_CANCELLED,
        now,
        refund_amount=reservation.total_amount if paid else 0,
        payment_id=payment_id,
    )


def refund_late_payment(reservation: Reservation, now: datetime, payment_id: PaymentId) -> Cancellation:
    """A payment came for a reservation that cannot be confirmed any more: all of it is refunded.

    The reservation keeps the reason for which it was cancelled.
    """
    reason = reservation.cancel_reason or CancelReason.HOLD_TIMEOUT
    return Cancellation(reason, now, refund_amount=reservation.total_amount, payment_id=payment_id)


def refund_wrong_amount(now: datetime, payment_id: PaymentId, amount: int) -> Cancellation:
    """A payment came that is not the price of the seats: all of it is refunded, and the seats are free."""
    return Cancellation(CancelReason.PAYMENT_FAILED, now, refund_amount=amount, payment_id=payment_id)
