"""Internal: may this user pay for this reservation, and how much? Called by payments (PAY-005)."""

from datetime import timedelta

from common.contracts.payable import PayableRequest, PayableResponse
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(request: PayableRequest) -> PayableResponse:
    extension = timedelta(seconds=request.extension_seconds)
    reservation = purchases.check_payable().check(
        request.user_id, request.reservation_id, request.payment_id, extension, not_started=request.not_started
    )
    return PayableResponse(
        reservation_id=reservation.id,
        event_id=reservation.event_id,
        event_title=reservation.event_title,
        seat_count=len(reservation.seats),
        total_amount=reservation.total_amount,
        hold_expires_at=reservation.hold_expires_at,
    )
