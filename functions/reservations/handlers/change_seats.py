"""PUT /reservations/hold/{id}: hold other seats instead, until the same time (RSV-002)."""

from typing import Annotated

from pydantic import Field

from common.domain.ids import ReservationId, SeatId
from common.domain.shared_errors import HoldExpired, NotFound, SaleClosed, SaleNotOpen, SeatNotFound
from common.http.endpoint import endpoint
from common.http.request import Body, IdPath, Request, User
from common.protection.rate_class import BOOKING
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.reservations.domain.errors import PaymentStarted, SeatTaken, TooManySeats
from functions.reservations.handlers.responses.reservation_response import HeldResponse
from functions.reservations.wiring import purchases, tokens


class ChangeBody(Body):
    seat_ids: Annotated[list[SeatId], Field(min_length=1, max_length=100)]


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
def handler(request: Request, user: User, path: IdPath, body: ChangeBody) -> HeldResponse:
    reservation = purchases.reservations().find(ReservationId(path.id), user.id)
    if reservation is None:
        raise NotFound()
    tokens.queue_tokens().check_reservation(request.queue_token, user.id, reservation.event_id)
    return HeldResponse.of(purchases.change_seats().change(reservation, body.seat_ids))
