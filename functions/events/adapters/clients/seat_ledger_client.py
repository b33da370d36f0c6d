"""Calls to the reservations service: an event's seat ledger, and repairs of its holds (EVT-030)."""

from common.contracts.internal_call import Call
from common.contracts.seat_ledger import RepairHoldsRequest, RepairHoldsResponse, SeatLedgerRequest, SeatLedgerResponse
from common.domain.ids import EventId, ReservationId


class SeatLedgerClient:
    def __init__(self, call: Call, ledger_function: str, repair_function: str) -> None:
        self._call = call
        self._ledger_function = ledger_function
        self._repair_function = repair_function

    def ledger(self, event_id: EventId, after: ReservationId | None) -> SeatLedgerResponse:
        """The page of the ledger behind the reservation `after`. Raises ServiceUnavailable."""
        request = SeatLedgerRequest(event_id=event_id, after=after)
        return self._call(self._ledger_function, request, SeatLedgerResponse, read=True)

    def repair_holds(self, request: RepairHoldsRequest) -> RepairHoldsResponse:
        """Raises ServiceUnavailable."""
        return self._call(self._repair_function, request, RepairHoldsResponse, read=False)
