"""GET /events/{id}/seats: every seat by grade, AVAILABLE or SOLD (EVT-006)."""

from common.http.endpoint import Response, endpoint
from common.http.request import Request
from functions.events.domain.errors import SeatListTooLarge
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.handlers.responses.conditional_response import not_modified_or
from functions.events.handlers.responses.seat_response import SeatListResponse
from functions.events.wiring import reading


@endpoint(responses={200: SeatListResponse, 304: None}, raises=[SeatListTooLarge])
def handler(request: Request, path: EventIdPath) -> Response:
    reader = reading.event_reader()
    statuses = reader.seat_statuses(path.id)
    return not_modified_or(request, statuses.etag, lambda: reader.seat_list(statuses))
