"""POST /venues/{id}/halls: a hall and the template its events' seats are made from (EVT-013)."""

from common.domain.clock import new_id
from common.http.endpoint import Answer, endpoint
from common.http.request import Admin, Body, IdPath
from functions.events.bounds import Label
from functions.events.composition import venues
from functions.events.revision import revised
from functions.events.seat_template import SeatTemplate
from functions.events.venue_answer import HallAnswer


class HallBody(Body):
    name: Label
    seat_template: SeatTemplate


@endpoint(answers={201: HallAnswer})
def handler(_admin: Admin, path: IdPath, body: HallBody) -> Answer:
    hall = venues().create_hall(new_id(), path.id, body.name, body.seat_template)
    return revised(hall, hall.version, 201)
