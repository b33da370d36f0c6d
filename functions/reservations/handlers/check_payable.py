"""Internal: may this user pay for this reservation, and how much? Asked by payments (PAY-005)."""

from datetime import timedelta

from common.contracts.internal_call import internal
from common.contracts.payable import PayableAnswer, PayableAsked
from functions.reservations.wiring.purchases import booking


@internal
def handler(asked: PayableAsked) -> PayableAnswer:
    guard = timedelta(seconds=asked.guard_seconds)
    reservation = booking().payable(asked.user_id, asked.reservation_id, guard)
    return PayableAnswer(
        reservation_id=reservation.id,
        event_id=reservation.event_id,
        event_title=reservation.event_title,
        seat_count=len(reservation.seats),
        total_amount=reservation.total_amount,
        hold_expires_at=reservation.hold_expires_at,
    )
