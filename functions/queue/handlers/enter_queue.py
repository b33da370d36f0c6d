"""POST /queue/enter: take a place in an event's queue, or keep it (QUEUE-001, QUEUE-010, QUEUE-021)."""

from typing import Annotated

from pydantic import Field

from common.domain.clock import utc_now
from common.domain.ids import EventId
from common.domain.model import Text
from common.domain.shared_errors import NotFound, SaleClosed, SaleNotOpen
from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.queue import wiring
from functions.queue.adapters.queue_record import record, rejections_recorded
from functions.queue.domain.errors import AlreadyWaiting, QueueFull, SoldOut
from functions.queue.domain.queue_status import Waiting
from functions.queue.handlers.responses.queue_status_response import (
    AdmittedResponse,
    WaitingResponse,
    queue_status_response,
)


class EnterBody(Body):
    event_id: EventId
    ticket: Annotated[Text, Field(max_length=200)] | None = None  # a place receipt; an invalid one counts as none


@endpoint(bot_check=True, raises=[NotFound, SaleNotOpen, SaleClosed, SoldOut, AlreadyWaiting, QueueFull])
def handler(user: User, body: EnterBody) -> WaitingResponse | AdmittedResponse:
    event_id, user_id, receipts = body.event_id, user.id, wiring.place_receipts()
    receipt = receipts.read(event_id, user_id, body.ticket) if body.ticket else None
    with rejections_recorded(event_id):
        status = wiring.enter_queue().enter(event_id, user_id, receipt)
    record(event_id, status.outcome if isinstance(status, Waiting) else "ADMITTED")
    return queue_status_response(event_id, user_id, status, receipts, utc_now())
