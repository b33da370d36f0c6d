"""Internal: the seats of an event that are sold, for reservations' live seat map (RSV-003)."""

from common.contracts.seat_status import SeatStatusRequest, SeatStatusResponse
from common.http.internal_endpoint import internal
from functions.events.wiring import reading


@internal
def handler(request: SeatStatusRequest) -> SeatStatusResponse:
    sold = reading.event_reader().sold_seats(request.event_id)
    return SeatStatusResponse(event_id=request.event_id, sold_seat_ids=[*sold])
