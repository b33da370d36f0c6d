"""Internal: the seats of an event's live reservations and the holds in Redis, called by reconciliation (EVT-030)."""

from common.contracts.seat_ledger import SeatLedgerRequest, SeatLedgerResponse
from common.domain.ids import EventId, ReservationId
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(request: SeatLedgerRequest) -> SeatLedgerResponse:
    after = ReservationId(request.after) if request.after else None
    return purchases.list_held_seats().page(EventId(request.event_id), after)
