"""PUT /venues/{id}: another name, address or city (EVT-011)."""

from typing import Annotated

from pydantic import Field

from common.http.endpoint import Response, endpoint
from common.http.request import Admin, Body, Request
from functions.events.domain.errors import PreconditionFailed
from functions.events.domain.input_bounds import Label
from functions.events.handlers.preconditions import expected_versions
from functions.events.handlers.resource_paths import VenueIdPath
from functions.events.handlers.responses.conditional_response import with_version
from functions.events.handlers.responses.venue_response import VenueDetailResponse
from functions.events.wiring import venues


class VenueEditBody(Body):
    """A field that is left out stays as it is."""

    name: Annotated[Label, Field(default=None)]
    address: Annotated[Label, Field(default=None)]
    city: Annotated[Label, Field(default=None)]


@endpoint(responses={200: VenueDetailResponse}, raises=[PreconditionFailed])
def handler(request: Request, _admin: Admin, path: VenueIdPath, body: VenueEditBody) -> Response:
    changes = body.model_dump(exclude_unset=True)
    venue = venues.venue_admin().edit_venue(path.id, changes, expected_versions(request))
    return with_version(VenueDetailResponse.of(venue), venue.version)
