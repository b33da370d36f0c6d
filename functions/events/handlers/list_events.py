"""GET /events: a page of events, searched and sorted (EVT-004, EVT-018, EVT-025)."""

from common.http.endpoint import Response, endpoint
from common.http.page import Page
from common.http.request import Paging, Request
from functions.events.domain.event_search import EventSearch
from functions.events.handlers.responses.conditional_response import not_modified_or
from functions.events.handlers.responses.event_response import EventResponse, render_page
from functions.events.wiring import reading


class EventQuery(Paging, EventSearch):
    __doc__ = EventSearch.__doc__


@endpoint(responses={200: Page[EventResponse], 304: None})
def handler(request: Request, query: EventQuery) -> Response:
    page = reading.event_reader().page(query, lambda found: render_page(found, query))
    return not_modified_or(request, page.etag, lambda: page.json)
