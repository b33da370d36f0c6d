"""GET /venues/{id}: a venue, its halls and their seat templates."""

from common.http.endpoint import Answer, endpoint
from common.http.request import IdPath, Request
from functions.events.domain.entity_tag import etag
from functions.events.handlers.responses.conditional_response import unless_known
from functions.events.handlers.responses.venue_response import VenueDetailAnswer
from functions.events.wiring import venues


@endpoint(answers={200: VenueDetailAnswer, 304: None})
def handler(request: Request, path: IdPath) -> Answer:
    venue = venues().venue(path.id)
    text = venue.to_json()
    return unless_known(request, etag(venue.version, text), lambda: text)
