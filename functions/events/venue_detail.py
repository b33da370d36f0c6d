"""GET /venues/{id}: a venue, its halls and their seat templates."""

from common.edge import endpoint
from common.request import IdPath
from functions.events.composition import venues
from functions.events.venue_answer import VenueDetailAnswer


@endpoint
def handler(path: IdPath) -> VenueDetailAnswer:
    return venues().venue(path.id)
