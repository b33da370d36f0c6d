"""GET /events/{id}/seats/status: which of the layout's seats are sold, a bit a seat (EVT-006)."""

from common.http.endpoint import Answer, endpoint
from common.http.request import IdPath, Request
from functions.events.domain.seat_layout import SeatStatusesAnswer
from functions.events.handlers.responses.conditional_response import unless_known
from functions.events.wiring import reads


@endpoint(answers={200: SeatStatusesAnswer, 304: None})
def handler(request: Request, path: IdPath) -> Answer:
    statuses = reads().seat_statuses(path.id)
    return unless_known(request, statuses.tag, statuses.to_json)
