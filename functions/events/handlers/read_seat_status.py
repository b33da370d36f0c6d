"""Internal: the seats of an event that are sold, for reservations' live seat map (RSV-003)."""

from common.contracts.seat_status import SeatStatusAnswer, SeatStatusAsked
from common.domain.ids import EventId
from common.http.internal_endpoint import internal
from functions.events import wiring


@internal
def handler(asked: SeatStatusAsked) -> SeatStatusAnswer:
    sold = wiring.event_reader().sold_seats(EventId(asked.event_id))
    return SeatStatusAnswer(event_id=asked.event_id, sold_seat_ids=[*sold])
