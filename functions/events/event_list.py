"""GET /events: a page of events, searched and sorted (EVT-004, EVT-018, EVT-025)."""

from common.http.endpoint import Answer, endpoint
from common.http.page import Page
from common.http.request import Request
from functions.events.composition import reads
from functions.events.conditional import unless_known
from functions.events.event_answer import EventAnswer
from functions.events.event_search import EventSearch


@endpoint(answers={200: Page[EventAnswer], 304: None})
def handler(request: Request, search: EventSearch) -> Answer:
    page = reads().page(search)
    return unless_known(request, page.tag, lambda: page.json)
