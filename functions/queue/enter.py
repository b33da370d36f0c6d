"""POST /queue/enter: take a place in an event's line, or keep it (QUEUE-001, QUEUE-010, QUEUE-021)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.domain.clock import utc_now
from common.domain.problem import NOT_FOUND
from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.queue.composition import tickets, waiting_room
from functions.queue.line_record import record, refusals_recorded
from functions.queue.place_answer import AdmittedAnswer, WaitingAnswer, place_answer
from functions.queue.problems import ALREADY_WAITING, QUEUE_FULL, SALE_CLOSED, SALE_NOT_OPEN, SOLD_OUT
from functions.queue.waiting_room import Waiting


class EnterBody(Body):
    event_id: UUID
    ticket: Annotated[str | None, Field(max_length=200)] = (
        None  # of an earlier answer; one that is not ours is no ticket
    )


@endpoint(bots=True, refuses=[NOT_FOUND, SALE_NOT_OPEN, SALE_CLOSED, SOLD_OUT, ALREADY_WAITING, QUEUE_FULL])
def handler(user: User, body: EnterBody) -> WaitingAnswer | AdmittedAnswer:
    ticket = tickets().read(body.event_id, user.id, body.ticket) if body.ticket else None
    with refusals_recorded(body.event_id):
        place = waiting_room().enter(body.event_id, user.id, ticket)
    record(body.event_id, place.how if isinstance(place, Waiting) else "ADMITTED")
    return place_answer(body.event_id, user.id, place, tickets(), utc_now())
