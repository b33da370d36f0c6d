"""Internal: how far the refunds of a cancelled event have come; events calls it (EVT-028)."""

from common.contracts.refund_counts import RefundCountsRequest, RefundCountsResponse
from common.http.internal_endpoint import internal
from functions.payments.wiring import repositories


@internal
def handler(request: RefundCountsRequest) -> RefundCountsResponse:
    totals = repositories.refund_repository().totals(request.event_id, "EVENT_CANCELLED")
    return RefundCountsResponse(
        event_id=request.event_id,
        due=totals.due,
        done=totals.done,
        amount_due=totals.amount_due,
        amount_done=totals.amount_done,
    )
