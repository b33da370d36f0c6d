"""Internal: release holds without a reservation, take missing ones again; called by reconciliation (EVT-030)."""

from common.contracts.seat_ledger import RepairHoldsRequest, RepairHoldsResponse
from common.domain.ids import EventId, ReservationId
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(request: RepairHoldsRequest) -> RepairHoldsResponse:
    missing = [ReservationId(each) for each in request.forgotten]
    return purchases.repair_holds().repair(EventId(request.event_id), request.release, missing)
