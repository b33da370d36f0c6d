"""GET /events/{id}/seats/layout: the positions, numbers and ids of an event's seats (EVT-006).

Until the sale starts it may change. A client or cache that names the version it wants (`?version=`, from /seats/status)
may store the response for a day.
"""

from common.http.endpoint import Response, endpoint
from common.http.request import Query, Request
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.handlers.responses.conditional_response import A_DAY, REVALIDATE, not_modified_or
from functions.events.handlers.responses.seat_response import SeatLayoutResponse
from functions.events.wiring import reading


class LayoutQuery(Query):
    version: int | None = None


@endpoint(responses={200: SeatLayoutResponse, 304: None})
def handler(request: Request, path: EventIdPath, query: LayoutQuery) -> Response:
    version, layout = reading.event_reader().current_seat_layout(path.id)
    cache_control = A_DAY if query.version == version else REVALIDATE
    return not_modified_or(request, layout.etag, lambda: layout.json, cache_control)
