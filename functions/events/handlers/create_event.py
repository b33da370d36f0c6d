"""POST /events: an event and all of its seats (EVT-001, EVT-019)."""

from common.domain.shared_errors import NotFound
from common.http.endpoint import Response, endpoint
from common.http.request import Admin, Body
from functions.events.domain.event_proposal import EventProposal
from functions.events.handlers.responses.conditional_response import with_version
from functions.events.handlers.responses.event_response import EventResponse
from functions.events.wiring import administration


class EventBody(EventProposal, Body):
    pass


@endpoint(responses={201: EventResponse}, raises=[NotFound])
def handler(_admin: Admin, body: EventBody) -> Response:
    event = administration.event_admin().create(body)
    return with_version(EventResponse.of(event), event.version, 201)
