"""POST /venues: a venue without halls (EVT-010)."""

from common.http.endpoint import Response, endpoint
from common.http.request import Admin, Body
from functions.events.domain.input_bounds import Label
from functions.events.handlers.responses.conditional_response import with_version
from functions.events.handlers.responses.venue_response import VenueResponse
from functions.events.wiring import venues


class VenueBody(Body):
    name: Label
    address: Label
    city: Label


@endpoint(responses={201: VenueResponse})
def handler(_admin: Admin, body: VenueBody) -> Response:
    venue = venues.venue_admin().create_venue(body.name, body.address, body.city)
    return with_version(VenueResponse.of(venue), venue.version, 201)
