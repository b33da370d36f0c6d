"""POST /venues/{id}/halls: a hall and the template its events' seats are made from (EVT-013)."""

from common.http.endpoint import Response, endpoint
from common.http.request import Admin, Body
from functions.events.domain.input_bounds import Label
from functions.events.domain.seat_template import SeatTemplate
from functions.events.handlers.resource_paths import VenueIdPath
from functions.events.handlers.responses.conditional_response import with_version
from functions.events.handlers.responses.venue_response import HallResponse
from functions.events.wiring import venues


class HallBody(Body):
    name: Label
    seat_template: SeatTemplate


@endpoint(responses={201: HallResponse})
def handler(_admin: Admin, path: VenueIdPath, body: HallBody) -> Response:
    hall = venues.venue_admin().create_hall(path.id, body.name, body.seat_template)
    return with_version(HallResponse.of(hall), hall.version, 201)
