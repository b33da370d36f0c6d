"""PUT /reservations/hold/{id}: other seats instead, until the same time (RSV-002)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.domain.shared_errors import HoldExpired, NotFound, SaleClosed, SaleNotOpen, SeatNotFound
from common.http.endpoint import endpoint
from common.http.request import Body, IdPath, Request, User
from common.protection.rate_class import BOOKING
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.reservations.domain.errors import PaymentStarted, SeatTaken, TooManySeats
from functions.reservations.handlers.responses.reservation_response import HeldAnswer
from functions.reservations.wiring.purchases import booking, store
from functions.reservations.wiring.tokens import queue_tokens


class ChangeBody(Body):
    seat_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)]


@endpoint(
    limit=BOOKING,
    raises=[
        *QUEUE_TOKEN_ERRORS,
        SeatNotFound,
        SeatTaken,
        TooManySeats,
        HoldExpired,
        PaymentStarted,
        SaleNotOpen,
        SaleClosed,
    ],
)
def handler(request: Request, user: User, path: IdPath, body: ChangeBody) -> HeldAnswer:
    reservation = store().find(path.id, user.id)
    if reservation is None:
        raise NotFound()
    queue_tokens().check_reservation(request.queue_token, user.id, reservation.event_id)
    return HeldAnswer.of(booking().change(reservation, body.seat_ids))
