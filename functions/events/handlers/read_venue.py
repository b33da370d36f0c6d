"""GET /venues/{id}: a venue, its halls and their seat templates."""

from common.http.endpoint import Response, endpoint
from common.http.request import Request
from functions.events.domain.entity_tag import etag
from functions.events.handlers.resource_paths import VenueIdPath
from functions.events.handlers.responses.conditional_response import not_modified_or
from functions.events.handlers.responses.venue_response import VenueDetailResponse
from functions.events.wiring import venues


@endpoint(responses={200: VenueDetailResponse, 304: None})
def handler(request: Request, path: VenueIdPath) -> Response:
    venue = venues.venue_repository().venue(path.id)
    text = VenueDetailResponse.of(venue).to_json()
    return not_modified_or(request, etag(venue.version, text), lambda: text)
