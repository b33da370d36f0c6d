"""PUT /events/{id}: what is not settled yet (EVT-002)."""

from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, IdPath, Request
from functions.events.domain.entity_tag import Expected, revised
from functions.events.domain.errors import EventIsCancelled, PreconditionFailed, SaleStarted
from functions.events.domain.event_edit import EventEdit
from functions.events.handlers.responses.event_response import EventAnswer
from functions.events.wiring import programme


class EventEditBody(EventEdit, Body):
    pass


@endpoint(answers={200: EventAnswer}, raises=[PreconditionFailed, EventIsCancelled, SaleStarted])
def handler(request: Request, _admin: Admin, path: IdPath, body: EventEditBody) -> Answer:
    event = programme().edit(path.id, body, Expected.by(request))
    return revised(event, event.version)
