"""GET /events/{id}: an event, its venue and hall, and the seats left of each grade (EVT-005)."""

from common.http.endpoint import Response, endpoint
from common.http.request import Request
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.handlers.responses.conditional_response import not_modified_or
from functions.events.handlers.responses.event_response import EventDetailResponse, render_event
from functions.events.wiring import reading


@endpoint(responses={200: EventDetailResponse, 304: None})
def handler(request: Request, path: EventIdPath) -> Response:
    event = reading.event_reader().event(path.id, render_event)
    return not_modified_or(request, event.etag, lambda: event.json)
