"""PUT /venues/{id}/halls/{hallId}: another name or, while no event there is to come, other seats (EVT-014)."""

from typing import Annotated

from pydantic import Field

from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, Request
from functions.events.domain.entity_tag import Expected, revised
from functions.events.domain.errors import HallInUse, PreconditionFailed
from functions.events.domain.input_bounds import Label
from functions.events.domain.seat_template import SeatTemplate
from functions.events.handlers.path_models import HallPath
from functions.events.handlers.responses.venue_response import HallAnswer
from functions.events.wiring import programme


class HallEditBody(Body):
    """What is left out stays as it is."""

    name: Annotated[Label, Field(default=None)]
    seat_template: Annotated[SeatTemplate, Field(default=None)]


@endpoint(answers={200: HallAnswer}, raises=[PreconditionFailed, HallInUse])
def handler(request: Request, _admin: Admin, path: HallPath, body: HallEditBody) -> Answer:
    hall = programme().edit_hall(path.id, path.hall_id, body.name, body.seat_template, Expected.by(request))
    return revised(hall, hall.version)
