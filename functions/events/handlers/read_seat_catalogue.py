"""Internal: an event's sale and the requested seats, for reservations before a hold (RSV-001)."""

from common.contracts.seat_catalogue import SeatCatalogueRequest, SeatCatalogueResponse
from common.http.internal_endpoint import internal
from functions.events.wiring import repositories


@internal
def handler(request: SeatCatalogueRequest) -> SeatCatalogueResponse:
    offer = repositories.seat_repository().offer(request.event_id, request.seat_ids)
    return SeatCatalogueResponse.model_validate(offer, from_attributes=True)
