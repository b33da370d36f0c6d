"""Internal: an event's sale and the requested seats, for reservations before a hold (RSV-001)."""

from common.contracts.seat_catalogue import SeatCatalogueAnswer, SeatCatalogueAsked
from common.domain.ids import EventId, SeatId
from common.http.internal_endpoint import internal
from functions.events import wiring


@internal
def handler(asked: SeatCatalogueAsked) -> SeatCatalogueAnswer:
    offer = wiring.seat_repository().offer(EventId(asked.event_id), list(map(SeatId, asked.seat_ids)))
    return SeatCatalogueAnswer.model_validate(offer, from_attributes=True)
