"""PUT /venues/{id}/halls/{hallId}: another name or, while no event there is to come, other seats (EVT-014)."""

from typing import Annotated

from pydantic import Field

from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, Request
from functions.events.bounds import Label
from functions.events.composition import programme
from functions.events.errors import HallInUse, PreconditionFailed
from functions.events.hall_path import HallPath
from functions.events.revision import Expected, revised
from functions.events.seat_template import SeatTemplate
from functions.events.venue_answer import HallAnswer


class HallEditBody(Body):
    """What is left out stays as it is."""

    name: Annotated[Label, Field(default=None)]
    seat_template: Annotated[SeatTemplate, Field(default=None)]


@endpoint(answers={200: HallAnswer}, raises=[PreconditionFailed, HallInUse])
def handler(request: Request, _admin: Admin, path: HallPath, body: HallEditBody) -> Answer:
    hall = programme().edit_hall(path.id, path.hall_id, body.name, body.seat_template, Expected.by(request))
    return revised(hall, hall.version)
