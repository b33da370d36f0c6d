"""What stops a user from withdrawing their account, and for how long no seats are held while they do (AUTH-018)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from common.domain.shared_errors import AccountInUse
from functions.reservations.domain.reservation import CancelReason, Reservation, Status

# Longer than auth needs to withdraw the account, and than a request for a hold runs that was let in before.
CLOSING_FOR = timedelta(seconds=60)
# So long after its hold a payment that was started may still come; `settle_payments` ends it long before.
PAYMENT_COMES_WITHIN = timedelta(minutes=15)


def in_use(reservations: Iterable[Reservation], now: datetime) -> AccountInUse | None:
    """The error that names what is live: tickets to come, holds, and payments that may still come."""
    kinds: dict[str, list[str]] = {"tickets": [], "holds": [], "payments": []}
    for reservation in reservations:
        if reservation.status is Status.CONFIRMED:
            kinds["tickets"].append(str(reservation.id))
        elif reservation.status is Status.PENDING:
            kinds["holds"].append(str(reservation.id))
        elif payment_may_come(reservation, now):
            kinds["payments"].append(str(reservation.id))
    return AccountInUse(kinds) if any(kinds.values()) else None


def payment_may_come(reservation: Reservation, now: datetime) -> bool:
    return (
        reservation.cancel_reason is CancelReason.HOLD_TIMEOUT
        and reservation.payment_started_at is not None
        and reservation.cancelled_at is not None
        and now < reservation.cancelled_at + PAYMENT_COMES_WITHIN
    )
