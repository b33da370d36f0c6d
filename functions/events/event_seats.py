"""GET /events/{id}/seats: every seat by grade, AVAILABLE or SOLD (EVT-006)."""

from common.http.endpoint import Answer, endpoint
from common.http.request import IdPath, Request
from functions.events.composition import reads
from functions.events.conditional import unless_known
from functions.events.errors import SeatListTooLarge
from functions.events.seat_answer import EventSeatsAnswer


@endpoint(answers={200: EventSeatsAnswer, 304: None}, raises=[SeatListTooLarge])
def handler(request: Request, path: IdPath) -> Answer:
    statuses = reads().seat_statuses(path.id)
    return unless_known(request, statuses.tag, lambda: reads().seat_list(statuses))
