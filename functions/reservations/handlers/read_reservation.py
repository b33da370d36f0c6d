"""GET /reservations/{id}: one of the user's reservations, with its ticket once confirmed (RSV-010)."""

from common.domain.ids import ReservationId
from common.domain.shared_errors import NotFound
from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from functions.reservations.domain.reservation import Status
from functions.reservations.handlers.responses.reservation_response import ReservationResponse
from functions.reservations.wiring import purchases


@endpoint
def handler(user: User, path: IdPath) -> ReservationResponse:
    reservation = purchases.reservations().find(ReservationId(path.id), user.id)
    if reservation is None:
        raise NotFound()
    qr = purchases.ticket_qr(reservation) if reservation.status is Status.CONFIRMED else None
    return ReservationResponse.of(reservation, purchases.terms_of_cancellation(reservation), qr)
