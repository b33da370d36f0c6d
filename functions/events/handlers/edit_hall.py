"""PUT /venues/{id}/halls/{hallId}: another name or, while the hall has no upcoming events, other seats (EVT-014)."""

from typing import Annotated

from pydantic import Field

from common.http.endpoint import Response, endpoint
from common.http.request import Admin, Body, Request
from functions.events.domain.errors import HallInUse, PreconditionFailed
from functions.events.domain.input_bounds import Label
from functions.events.domain.seat_template import SeatTemplate
from functions.events.handlers.preconditions import expected_versions
from functions.events.handlers.resource_paths import HallPath
from functions.events.handlers.responses.conditional_response import with_version
from functions.events.handlers.responses.venue_response import HallResponse
from functions.events.wiring import venues


class HallEditBody(Body):
    """A field that is left out stays as it is."""

    name: Annotated[Label, Field(default=None)]
    seat_template: Annotated[SeatTemplate, Field(default=None)]


@endpoint(responses={200: HallResponse}, raises=[PreconditionFailed, HallInUse])
def handler(request: Request, _admin: Admin, path: HallPath, body: HallEditBody) -> Response:
    expected = expected_versions(request)
    hall = venues.venue_admin().edit_hall(path.id, path.hall_id, body.name, body.seat_template, expected)
    return with_version(HallResponse.of(hall), hall.version)
