"""GET /events/{id}: an event, where it is and what is left of each grade (EVT-005)."""

from common.http.endpoint import Answer, endpoint
from common.http.request import IdPath, Request
from functions.events.composition import reads
from functions.events.conditional import unless_known
from functions.events.event_answer import EventDetailAnswer


@endpoint(answers={200: EventDetailAnswer, 304: None})
def handler(request: Request, path: IdPath) -> Answer:
    event = reads().event(path.id)
    return unless_known(request, event.tag, lambda: event.json)
