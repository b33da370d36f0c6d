"""POST /events/{id}/reschedule: moves a show that is on sale; earlier buyers may cancel without a fee (EVT-029)."""

from typing import Annotated

from pydantic import Field

from common.http.endpoint import Response, endpoint
from common.http.request import Admin, Body, Request
from functions.events.domain.errors import EventEnded, EventIsCancelled, PreconditionFailed, SaleNotStarted
from functions.events.domain.event_edit import EventEdit
from functions.events.domain.input_bounds import Date, Reason
from functions.events.handlers.preconditions import expected_versions
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.handlers.responses.conditional_response import with_version
from functions.events.handlers.responses.event_response import EventResponse
from functions.events.wiring import administration


class RescheduleBody(Body):
    starts_at: Date
    ends_at: Date
    sale_ends_at: Annotated[Date, Field(default=None)]  # if left out, it stays
    reason: Reason


@endpoint(responses={200: EventResponse}, raises=[PreconditionFailed, EventIsCancelled, EventEnded, SaleNotStarted])
def handler(request: Request, admin: Admin, path: EventIdPath, body: RescheduleBody) -> Response:
    times = EventEdit.model_validate(body.model_dump(exclude_unset=True, exclude={"reason"}))
    expected = expected_versions(request)
    event = administration.event_admin().reschedule(path.id, times, body.reason, admin.id, expected)
    return with_version(EventResponse.of(event), event.version)
