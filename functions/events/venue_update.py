"""PUT /venues/{id}: another name, address or city (EVT-011)."""

from typing import Annotated

from pydantic import Field

from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, IdPath, Request
from functions.events.bounds import Label
from functions.events.composition import programme
from functions.events.errors import PreconditionFailed
from functions.events.revision import Expected, revised
from functions.events.venue_answer import VenueDetailAnswer


class VenueEditBody(Body):
    """What is left out stays as it is."""

    name: Annotated[Label, Field(default=None)]
    address: Annotated[Label, Field(default=None)]
    city: Annotated[Label, Field(default=None)]


@endpoint(answers={200: VenueDetailAnswer}, raises=[PreconditionFailed])
def handler(request: Request, _admin: Admin, path: IdPath, body: VenueEditBody) -> Answer:
    venue = programme().edit_venue(path.id, body.model_dump(exclude_unset=True), Expected.by(request))
    return revised(venue, venue.version)
