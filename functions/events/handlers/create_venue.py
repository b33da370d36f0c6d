"""POST /venues: a place with halls to come (EVT-010)."""

from common.domain.clock import new_id
from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body
from functions.events.domain.entity_tag import revised
from functions.events.domain.input_bounds import Label
from functions.events.handlers.responses.venue_response import VenueAnswer, VenueSummary
from functions.events.wiring import venues


class VenueBody(Body):
    name: Label
    address: Label
    city: Label


@endpoint(answers={201: VenueAnswer})
def handler(_admin: Admin, body: VenueBody) -> Answer:
    venue = venues().create(VenueSummary(id=new_id(), name=body.name, address=body.address, city=body.city))
    return revised(venue, venue.version, 201)
