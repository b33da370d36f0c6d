"""POST /venues/{id}/halls: a hall and the template its events' seats are made from (EVT-013)."""

from common.domain.clock import new_id
from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, IdPath
from functions.events.domain.entity_tag import revised
from functions.events.domain.input_bounds import Label
from functions.events.domain.seat_template import SeatTemplate
from functions.events.handlers.responses.venue_response import HallAnswer
from functions.events.wiring import venues


class HallBody(Body):
    name: Label
    seat_template: SeatTemplate


@endpoint(answers={201: HallAnswer})
def handler(_admin: Admin, path: IdPath, body: HallBody) -> Answer:
    hall = venues().create_hall(new_id(), path.id, body.name, body.seat_template)
    return revised(hall, hall.version, 201)
