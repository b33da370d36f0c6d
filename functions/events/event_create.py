"""POST /events: an event and all of its seats (EVT-001, EVT-019)."""

from common.domain.shared_errors import NotFound
from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body
from functions.events.composition import programme
from functions.events.event_answer import EventAnswer
from functions.events.event_proposal import EventProposal
from functions.events.revision import revised


class EventBody(EventProposal, Body):
    pass


@endpoint(answers={201: EventAnswer}, raises=[NotFound])
def handler(_admin: Admin, body: EventBody) -> Answer:
    event = programme().create(body)
    return revised(event, event.version, 201)
