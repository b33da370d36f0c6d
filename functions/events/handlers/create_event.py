"""POST /events: an event and all of its seats (EVT-001, EVT-019)."""

from common.domain.shared_errors import NotFound
from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body
from functions.events.domain.entity_tag import revised
from functions.events.domain.event_proposal import EventProposal
from functions.events.handlers.responses.event_response import EventAnswer
from functions.events.wiring import programme


class EventBody(EventProposal, Body):
    pass


@endpoint(answers={201: EventAnswer}, raises=[NotFound])
def handler(_admin: Admin, body: EventBody) -> Answer:
    event = programme().create(body)
    return revised(event, event.version, 201)
