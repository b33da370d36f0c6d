"""GET /reservations/{id}: one of the user's reservations, with its ticket once confirmed (RSV-010)."""

from common.domain.shared_errors import NotFound
from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from functions.reservations.domain.reservation import Status
from functions.reservations.handlers.responses.reservation_response import ReservationAnswer
from functions.reservations.wiring.purchases import store, ticket_qr


@endpoint
def handler(user: User, path: IdPath) -> ReservationAnswer:
    reservation = store().find(path.id, user.id)
    if reservation is None:
        raise NotFound()
    qr = ticket_qr(reservation) if reservation.status is Status.CONFIRMED else None
    return ReservationAnswer.of(reservation, qr)
