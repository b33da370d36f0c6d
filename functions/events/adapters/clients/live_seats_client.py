"""Calls to the reservations service: an event's live seats, and repairs of its holds (EVT-030)."""

from common.contracts.internal_call import Call
from common.contracts.live_seats import LiveSeatsRequest, LiveSeatsResponse, RepairHoldsRequest, RepairHoldsResponse
from common.domain.ids import EventId, ReservationId


class LiveSeatsClient:
    def __init__(self, call: Call, live_seats_function: str, repair_function: str) -> None:
        self._call = call
        self._live_seats_function = live_seats_function
        self._repair_function = repair_function

    def live_seats(self, event_id: EventId, after: ReservationId | None) -> LiveSeatsResponse:
        """The page behind the reservation `after`. Raises ServiceUnavailable."""
        request = LiveSeatsRequest(event_id=event_id, after=after)
        return self._call(self._live_seats_function, request, LiveSeatsResponse, read=True)

    def repair_holds(self, request: RepairHoldsRequest) -> RepairHoldsResponse:
        """Raises ServiceUnavailable."""
        return self._call(self._repair_function, request, RepairHoldsResponse, read=False)
