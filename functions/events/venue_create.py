"""POST /venues: a place with halls to come (EVT-010)."""

from common.clock import new_id
from common.edge import Answer, created, endpoint
from common.request import Admin, Body
from functions.events.bounds import Label
from functions.events.composition import venues
from functions.events.venue_answer import VenueSummary


class VenueBody(Body):
    name: Label
    address: Label
    city: Label


@endpoint
def handler(_admin: Admin, body: VenueBody) -> Answer:
    return created(venues().create(VenueSummary(id=new_id(), name=body.name, address=body.address, city=body.city)))
