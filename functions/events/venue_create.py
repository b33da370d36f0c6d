"""POST /venues: a place with halls to come (EVT-010)."""

from common.domain.clock import new_id
from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body
from functions.events.bounds import Label
from functions.events.composition import venues
from functions.events.revision import revised
from functions.events.venue_answer import VenueAnswer, VenueSummary


class VenueBody(Body):
    name: Label
    address: Label
    city: Label


@endpoint(answers={201: VenueAnswer})
def handler(_admin: Admin, body: VenueBody) -> Answer:
    venue = venues().create(VenueSummary(id=new_id(), name=body.name, address=body.address, city=body.city))
    return revised(venue, venue.version, 201)
