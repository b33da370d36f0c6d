"""Calls to the payments service: the refunds of a cancelled event (EVT-028)."""

from common.contracts.internal_call import Call
from common.contracts.refund_tally import RefundTallyRequest, RefundTallyResponse
from common.domain.ids import EventId


class PaymentsClient:
    def __init__(self, call: Call, function: str) -> None:
        self._call = call
        self._function = function

    def refunds(self, event_id: EventId) -> RefundTallyResponse:
        """Raises ServiceUnavailable."""
        return self._call(self._function, RefundTallyRequest(event_id=event_id), RefundTallyResponse, read=True)
