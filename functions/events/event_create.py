"""POST /events: an event and all of its seats (EVT-001, EVT-019)."""

from common.clock import new_id
from common.edge import Answer, created, endpoint
from common.request import Admin, Body
from functions.events.composition import events
from functions.events.event_proposal import EventProposal


class EventBody(EventProposal, Body):
    pass


@endpoint
def handler(_admin: Admin, body: EventBody) -> Answer:
    return created(events().create(new_id(), body))
