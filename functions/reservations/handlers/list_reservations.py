"""GET /reservations: the user's reservations, newest first (RSV-009)."""

from common.http.endpoint import endpoint
from common.http.page import Page
from common.http.request import Paging, User
from functions.reservations.domain.reservation import Status
from functions.reservations.handlers.responses.reservation_response import ReservationResponse
from functions.reservations.wiring import purchases


class ReservationsQuery(Paging):
    status: Status | None = None


@endpoint
def handler(user: User, query: ReservationsQuery) -> Page[ReservationResponse]:
    found, total = purchases.reservations().of_user(user.id, query.status, query.size, query.offset)
    items = [
        ReservationResponse.of(
            each,
            purchases.terms_of_cancellation(each),
            purchases.ticket_qr(each) if each.status is Status.CONFIRMED else None,
        )
        for each in found
    ]
    return Page(items=items, page=query.page, size=query.size, total=total)
