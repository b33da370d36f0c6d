"""POST /events/{id}/reschedule: another time for a show on sale; who has booked may give back for nothing (EVT-029)."""

from typing import Annotated

from pydantic import Field

from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, IdPath, Request
from functions.events.domain.entity_tag import Expected, revised
from functions.events.domain.errors import EventEnded, EventIsCancelled, PreconditionFailed, SaleNotStarted
from functions.events.domain.event_edit import EventEdit
from functions.events.domain.input_bounds import Date, Reason
from functions.events.handlers.responses.event_response import EventAnswer
from functions.events.wiring import programme


class RescheduleBody(Body):
    starts_at: Date
    ends_at: Date
    sale_ends_at: Annotated[Date, Field(default=None)]  # left out, it stays
    reason: Reason


@endpoint(answers={200: EventAnswer}, raises=[PreconditionFailed, EventIsCancelled, EventEnded, SaleNotStarted])
def handler(request: Request, admin: Admin, path: IdPath, body: RescheduleBody) -> Answer:
    times = EventEdit.model_validate(body.model_dump(exclude_unset=True, exclude={"reason"}))
    event = programme().reschedule(path.id, times, body.reason, admin.id, Expected.by(request))
    return revised(event, event.version)
