"""GET /reservations/{id}: a reservation of the user, with what is needed to pay for it, or its ticket (RSV-010)."""

from common.domain.ids import ReservationId
from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from functions.reservations.domain.reservation import Status
from functions.reservations.handlers.responses.reservation_response import ReservationDetailResponse
from functions.reservations.wiring import purchases


@endpoint
def handler(user: User, path: IdPath) -> ReservationDetailResponse:
    own = purchases.read_reservation().read(user.id, ReservationId(path.id))
    qr = purchases.ticket_qr(own.reservation) if own.reservation.status is Status.CONFIRMED else None
    return ReservationDetailResponse.of_own(own, qr)
