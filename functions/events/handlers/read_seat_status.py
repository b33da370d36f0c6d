"""Internal: which seats of an event are sold, asked by reservations for its live seat map (RSV-003)."""

from common.contracts.internal_call import internal
from common.contracts.seat_status import SeatStatusAnswer, SeatStatusAsked
from functions.events.wiring import reads


@internal
def handler(asked: SeatStatusAsked) -> SeatStatusAnswer:
    return SeatStatusAnswer(event_id=asked.event_id, sold_seat_ids=reads().sold(asked.event_id))
