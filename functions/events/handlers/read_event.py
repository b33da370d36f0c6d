"""GET /events/{id}: an event, where it is and what is left of each grade (EVT-005)."""

from common.http.endpoint import Answer, endpoint
from common.http.request import IdPath, Request
from functions.events.handlers.responses.conditional_response import unless_known
from functions.events.handlers.responses.event_response import EventDetailAnswer
from functions.events.wiring import reads


@endpoint(answers={200: EventDetailAnswer, 304: None})
def handler(request: Request, path: IdPath) -> Answer:
    event = reads().event(path.id)
    return unless_known(request, event.tag, lambda: event.json)
