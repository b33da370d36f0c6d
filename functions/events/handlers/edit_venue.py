"""PUT /venues/{id}: another name, address or city (EVT-011)."""

from typing import Annotated

from pydantic import Field

from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, IdPath, Request
from functions.events.domain.entity_tag import Expected, revised
from functions.events.domain.errors import PreconditionFailed
from functions.events.domain.input_bounds import Label
from functions.events.handlers.responses.venue_response import VenueDetailAnswer
from functions.events.wiring import programme


class VenueEditBody(Body):
    """What is left out stays as it is."""

    name: Annotated[Label, Field(default=None)]
    address: Annotated[Label, Field(default=None)]
    city: Annotated[Label, Field(default=None)]


@endpoint(answers={200: VenueDetailAnswer}, raises=[PreconditionFailed])
def handler(request: Request, _admin: Admin, path: IdPath, body: VenueEditBody) -> Answer:
    venue = programme().edit_venue(path.id, body.model_dump(exclude_unset=True), Expected.by(request))
    return revised(venue, venue.version)
