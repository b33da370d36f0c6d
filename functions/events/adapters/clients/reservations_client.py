"""Calls to the reservations service: an event's reservations (EVT-003, EVT-028)."""

from common.contracts.event_tally import EventTallyRequest, EventTallyResponse
from common.contracts.internal_call import Call
from common.domain.ids import EventId


class ReservationsClient:
    def __init__(self, call: Call, function: str) -> None:
        self._call = call
        self._function = function

    def tally(self, event_id: EventId) -> EventTallyResponse:
        """Raises ServiceUnavailable."""
        return self._call(self._function, EventTallyRequest(event_id=event_id), EventTallyResponse, read=True)
