"""POST /reservations/hold: hold all the seats or none, for five minutes (RSV-001, RSV-005, RSV-008)."""

from typing import Annotated

from pydantic import Field

from common.domain.ids import EventId, SeatId
from common.domain.shared_errors import AccountClosing, NotFound, SaleClosed, SaleNotOpen, SeatNotFound
from common.http.endpoint import Response, endpoint
from common.http.request import Body, Request, User
from common.protection.rate_class import BOOKING
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.reservations.domain.errors import HoldExists, SeatTaken, TooManyHolds, TooManySeats
from functions.reservations.handlers.responses.reservation_response import HeldResponse
from functions.reservations.wiring import purchases, tokens


class HoldBody(Body):
    event_id: EventId
    # The rule's limit is the event's (409); this one only bounds the work.
    seat_ids: Annotated[list[SeatId], Field(min_length=1, max_length=100)]


@endpoint(
    limit=BOOKING,
    bot_check=True,
    responses={200: HeldResponse, 201: HeldResponse},
    raises=[
        *QUEUE_TOKEN_ERRORS,
        NotFound,
        SeatNotFound,
        SeatTaken,
        TooManySeats,
        HoldExists,
        AccountClosing,
        TooManyHolds,
        SaleNotOpen,
        SaleClosed,
    ],
)
def handler(request: Request, user: User, body: HoldBody) -> Response:
    admission = tokens.queue_tokens().check_reservation(request.queue_token, user.id, body.event_id)
    held = purchases.hold_seats().hold(user.id, body.event_id, body.seat_ids, admission)
    return Response(HeldResponse.of(held), 201 if held.is_new else 200)
