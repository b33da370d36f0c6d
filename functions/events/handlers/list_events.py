"""GET /events: a page of events, searched and sorted (EVT-004, EVT-018, EVT-025)."""

from common.http.endpoint import Answer, endpoint
from common.http.page import Page
from common.http.request import Request
from functions.events.domain.event_search import EventSearch
from functions.events.handlers.responses.conditional_response import unless_known
from functions.events.handlers.responses.event_response import EventAnswer
from functions.events.wiring import reads


@endpoint(answers={200: Page[EventAnswer], 304: None})
def handler(request: Request, search: EventSearch) -> Answer:
    page = reads().page(search)
    return unless_known(request, page.tag, lambda: page.json)
