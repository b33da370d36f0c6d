"""POST /events/{id}/cancel: the show is off; every buyer gets everything back, by message (EVT-028)."""

from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, IdPath, Request
from functions.events.domain.entity_tag import Expected, revised
from functions.events.domain.errors import EventEnded, PreconditionFailed
from functions.events.domain.input_bounds import Reason
from functions.events.handlers.responses.event_response import EventAnswer
from functions.events.wiring import programme


class CancelBody(Body):
    reason: Reason


@endpoint(answers={202: EventAnswer}, raises=[PreconditionFailed, EventEnded])
def handler(request: Request, admin: Admin, path: IdPath, body: CancelBody) -> Answer:
    event = programme().cancel(path.id, body.reason, admin.id, Expected.by(request))
    return revised(event, event.version, 202)
