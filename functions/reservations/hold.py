"""POST /reservations/hold: all the seats or none, for five minutes (RSV-001, RSV-005, RSV-008)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.edge import Answer, created, endpoint
from common.request import Body, Request, User
from common.route_class import BOOKING
from functions.reservations.composition import booking, queue_tokens
from functions.reservations.reservation_answer import HeldAnswer


class HoldBody(Body):
    event_id: UUID
    # The rule's limit is the event's (409); this one only bounds the work.
    seat_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)]


@endpoint(limit=BOOKING)
def handler(request: Request, user: User, body: HoldBody) -> Answer:
    queue_tokens().check_reservation(request.queue_token, user.id, body.event_id)
    return created(HeldAnswer.of(booking().hold(user.id, body.event_id, body.seat_ids)))
