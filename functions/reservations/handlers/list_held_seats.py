"""Internal: the seats of an event's live reservations and the holds in Redis, called by reconciliation (EVT-030)."""

from common.contracts.seat_ledger import SeatLedgerRequest, SeatLedgerResponse
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(request: SeatLedgerRequest) -> SeatLedgerResponse:
    return purchases.list_held_seats().page(request.event_id, request.after)
