"""GET /events/{id}/seats: every seat by grade, AVAILABLE or SOLD (EVT-006)."""

from common.edge import endpoint
from common.request import IdPath
from functions.events.composition import seats
from functions.events.seat_answer import EventSeatsAnswer


@endpoint
def handler(path: IdPath) -> EventSeatsAnswer:
    return seats().of_event(path.id)
