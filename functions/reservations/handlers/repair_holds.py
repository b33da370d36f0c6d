"""Internal: release holds without a reservation, take missing ones again; called by reconciliation (EVT-030)."""

from common.contracts.live_seats import RepairHoldsRequest, RepairHoldsResponse
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(request: RepairHoldsRequest) -> RepairHoldsResponse:
    return purchases.repair_holds().repair(request.event_id, request.release, request.forgotten)
