"""Internal: an event's sale and the seats someone wants, asked by reservations at hold time (RSV-001)."""

from common.contracts.internal_call import internal
from common.contracts.seat_catalogue import SeatCatalogueAnswer, SeatCatalogueAsked
from functions.events.wiring import seats


@internal
def handler(asked: SeatCatalogueAsked) -> SeatCatalogueAnswer:
    return seats().catalogue(asked.event_id, asked.seat_ids)
