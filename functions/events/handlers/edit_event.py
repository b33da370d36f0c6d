"""PUT /events/{id}: changes what may still be changed (EVT-002)."""

from common.http.endpoint import Response, endpoint
from common.http.request import Admin, Body, Request
from functions.events.domain.errors import EventIsCancelled, PreconditionFailed, SaleStarted
from functions.events.domain.event_edit import EventEdit
from functions.events.handlers.preconditions import expected_versions
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.handlers.responses.conditional_response import with_version
from functions.events.handlers.responses.event_response import EventResponse
from functions.events.wiring import administration


class EventEditBody(EventEdit, Body):
    pass


@endpoint(responses={200: EventResponse}, raises=[PreconditionFailed, EventIsCancelled, SaleStarted])
def handler(request: Request, _admin: Admin, path: EventIdPath, body: EventEditBody) -> Response:
    event = administration.event_admin().edit(path.id, body, expected_versions(request))
    return with_version(EventResponse.of(event), event.version)
