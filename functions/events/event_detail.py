"""GET /events/{id}: an event, where it is and what is left of each grade (EVT-005)."""

from common.edge import endpoint
from common.request import IdPath
from functions.events.composition import events
from functions.events.event_answer import EventDetailAnswer


@endpoint
def handler(path: IdPath) -> EventDetailAnswer:
    return events().event(path.id)
