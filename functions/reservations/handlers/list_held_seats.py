"""Internal: the seats of an event's live reservations and the holds in Redis, called by reconciliation (EVT-030)."""

from common.contracts.seat_ledger import SeatLedgerAnswer, SeatLedgerAsked
from common.domain.ids import EventId, ReservationId
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(asked: SeatLedgerAsked) -> SeatLedgerAnswer:
    after = ReservationId(asked.after) if asked.after else None
    return purchases.list_held_seats().page(EventId(asked.event_id), after)
