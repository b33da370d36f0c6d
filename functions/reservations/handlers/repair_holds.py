"""Internal: release holds without a reservation, take missing ones again; called by reconciliation (EVT-030)."""

from common.contracts.seat_ledger import MendHoldsAnswer, MendHoldsAsked
from common.domain.ids import EventId, ReservationId
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(asked: MendHoldsAsked) -> MendHoldsAnswer:
    missing = [ReservationId(each) for each in asked.forgotten]
    return purchases.repair_holds().repair(EventId(asked.event_id), asked.release, missing)
