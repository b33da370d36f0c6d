"""Calls to the payments service: the refunds of a cancelled event (EVT-028)."""

from common.contracts.internal_call import Call
from common.contracts.refund_counts import RefundCountsRequest, RefundCountsResponse
from common.domain.ids import EventId


class PaymentsClient:
    def __init__(self, call: Call, function: str) -> None:
        self._call = call
        self._function = function

    def refunds(self, event_id: EventId) -> RefundCountsResponse:
        """Raises ServiceUnavailable."""
        return self._call(self._function, RefundCountsRequest(event_id=event_id), RefundCountsResponse, read=True)
