"""Internal: how many reservations an event has, called by events before it deletes an event and after it cancelled one
(EVT-003, EVT-028)."""

from common.contracts.reservation_counts import ReservationCountsRequest, ReservationCountsResponse
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(request: ReservationCountsRequest) -> ReservationCountsResponse:
    counts = purchases.reservations().count(request.event_id)
    return ReservationCountsResponse(
        event_id=request.event_id,
        pending=counts.pending,
        confirmed=counts.confirmed,
        event_cancelled=counts.event_cancelled,
        refund_amount=counts.refund_amount,
        seen_through=counts.all_cancelled,
    )
