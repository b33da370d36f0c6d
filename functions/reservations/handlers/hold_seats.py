"""POST /reservations/hold: all the seats or none, for five minutes (RSV-001, RSV-005, RSV-008)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.domain.shared_errors import NotFound, SaleClosed, SaleNotOpen, SeatNotFound
from common.http.endpoint import Answer, created, endpoint
from common.http.request import Body, Request, User
from common.protection.rate_class import BOOKING
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.reservations.domain.errors import HoldExists, SeatTaken, TooManySeats
from functions.reservations.handlers.responses.reservation_response import HeldAnswer
from functions.reservations.wiring.purchases import booking
from functions.reservations.wiring.tokens import queue_tokens


class HoldBody(Body):
    event_id: UUID
    # The rule's limit is the event's (409); this one only bounds the work.
    seat_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)]


@endpoint(
    limit=BOOKING,
    bots=True,
    answers={201: HeldAnswer},
    raises=[
        *QUEUE_TOKEN_ERRORS,
        NotFound,
        SeatNotFound,
        SeatTaken,
        TooManySeats,
        HoldExists,
        SaleNotOpen,
        SaleClosed,
    ],
)
def handler(request: Request, user: User, body: HoldBody) -> Answer:
    admission = queue_tokens().check_reservation(request.queue_token, user.id, body.event_id)
    return created(HeldAnswer.of(booking().hold(user.id, body.event_id, body.seat_ids, admission)))
