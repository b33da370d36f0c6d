"""POST /events/{id}/cancel: cancels the event; every buyer is refunded in full, through messages (EVT-028)."""

from common.http.endpoint import Response, endpoint
from common.http.request import Admin, Body, Request
from functions.events.domain.errors import EventEnded, PreconditionFailed
from functions.events.domain.input_bounds import Reason
from functions.events.handlers.preconditions import expected_versions
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.handlers.responses.conditional_response import with_version
from functions.events.handlers.responses.event_response import EventResponse
from functions.events.wiring import administration


class CancelBody(Body):
    reason: Reason


@endpoint(responses={202: EventResponse}, raises=[PreconditionFailed, EventEnded])
def handler(request: Request, admin: Admin, path: EventIdPath, body: CancelBody) -> Response:
    event = administration.event_admin().cancel(path.id, body.reason, admin.id, expected_versions(request))
    return with_version(EventResponse.of(event), event.version, 202)
