"""Calls to the reservations service: an event's reservations (EVT-003, EVT-028)."""

from common.contracts.internal_call import Call
from common.contracts.reservation_counts import ReservationCountsRequest, ReservationCountsResponse
from common.domain.ids import EventId


class ReservationsClient:
    def __init__(self, call: Call, function: str) -> None:
        self._call = call
        self._function = function

    def counts(self, event_id: EventId) -> ReservationCountsResponse:
        """Raises ServiceUnavailable."""
        return self._call(
            self._function, ReservationCountsRequest(event_id=event_id), ReservationCountsResponse, read=True
        )
