"""GET /events: a page of events, searched and sorted (EVT-004, EVT-018)."""

from common.edge import endpoint
from common.page import Page
from functions.events.composition import events
from functions.events.event_answer import EventAnswer
from functions.events.event_search import EventSearch


@endpoint
def handler(search: EventSearch) -> Page[EventAnswer]:
    return events().page(search)
