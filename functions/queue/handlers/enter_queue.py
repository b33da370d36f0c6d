"""POST /queue/enter: take a place in an event's line, or keep it (QUEUE-001, QUEUE-010, QUEUE-021)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.domain.clock import utc_now
from common.domain.shared_errors import NotFound, SaleClosed, SaleNotOpen
from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.queue.adapters.queue_record import record, refusals_recorded
from functions.queue.domain.errors import AlreadyWaiting, QueueFull, SoldOut
from functions.queue.handlers.responses.queue_status_response import AdmittedAnswer, WaitingAnswer, place_answer
from functions.queue.usecases.enter_queue import Waiting
from functions.queue.wiring import tickets, waiting_room


class EnterBody(Body):
    event_id: UUID
    ticket: Annotated[str | None, Field(max_length=200)] = (
        None  # of an earlier answer; one that is not ours is no ticket
    )


@endpoint(bots=True, raises=[NotFound, SaleNotOpen, SaleClosed, SoldOut, AlreadyWaiting, QueueFull])
def handler(user: User, body: EnterBody) -> WaitingAnswer | AdmittedAnswer:
    ticket = tickets().read(body.event_id, user.id, body.ticket) if body.ticket else None
    with refusals_recorded(body.event_id):
        place = waiting_room().enter(body.event_id, user.id, ticket)
    record(body.event_id, place.how if isinstance(place, Waiting) else "ADMITTED")
    return place_answer(body.event_id, user.id, place, tickets(), utc_now())
