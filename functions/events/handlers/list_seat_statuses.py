"""GET /events/{id}/seats/status: which of the layout's seats are sold, one bit for each seat (EVT-006)."""

from common.http.endpoint import Response, endpoint
from common.http.request import Request
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.handlers.responses.conditional_response import not_modified_or
from functions.events.handlers.responses.seat_response import SeatStatusesResponse
from functions.events.wiring import reading


@endpoint(responses={200: SeatStatusesResponse, 304: None})
def handler(request: Request, path: EventIdPath) -> Response:
    statuses = reading.event_reader().seat_statuses(path.id)
    return not_modified_or(request, statuses.etag, statuses.to_json)
