"""GET /events/{id}/seats: every seat by grade, AVAILABLE or SOLD (EVT-006)."""

from common.http.endpoint import Answer, endpoint
from common.http.request import IdPath, Request
from functions.events.domain.errors import SeatListTooLarge
from functions.events.handlers.responses.conditional_response import unless_known
from functions.events.handlers.responses.seat_response import EventSeatsAnswer
from functions.events.wiring import reads


@endpoint(answers={200: EventSeatsAnswer, 304: None}, raises=[SeatListTooLarge])
def handler(request: Request, path: IdPath) -> Answer:
    statuses = reads().seat_statuses(path.id)
    return unless_known(request, statuses.tag, lambda: reads().seat_list(statuses))
