"""Internal: the seats of an event that are sold, for reservations' live seat map (RSV-003)."""

from common.contracts.sold_seats import SoldSeatsRequest, SoldSeatsResponse
from common.http.internal_endpoint import internal
from functions.events.wiring import reading


@internal
def handler(request: SoldSeatsRequest) -> SoldSeatsResponse:
    sold = reading.event_reader().sold_seats(request.event_id)
    return SoldSeatsResponse(event_id=request.event_id, sold_seat_ids=[*sold])
