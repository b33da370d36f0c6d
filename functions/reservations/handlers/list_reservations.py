"""GET /reservations: the user's reservations, newest first (RSV-009)."""

from common.http.endpoint import endpoint
from common.http.page import Page
from common.http.request import Paging, User
from functions.reservations.domain.reservation import Status
from functions.reservations.handlers.responses.reservation_response import ReservationAnswer
from functions.reservations.wiring.purchases import store, ticket_qr


class ReservationsQuery(Paging):
    status: Status | None = None


@endpoint
def handler(user: User, query: ReservationsQuery) -> Page[ReservationAnswer]:
    found, total = store().of_user(user.id, query.status, query.size, query.offset)
    items = [ReservationAnswer.of(each, ticket_qr(each) if each.status is Status.CONFIRMED else None) for each in found]
    return Page(items=items, page=query.page, size=query.size, total=total)
