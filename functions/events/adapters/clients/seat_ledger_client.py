"""Calls to the reservations service: an event's seat ledger, and repairs of its holds (EVT-030)."""

from common.contracts.internal_call import Call
from common.contracts.seat_ledger import MendHoldsAnswer, MendHoldsAsked, SeatLedgerAnswer, SeatLedgerAsked
from common.domain.ids import EventId, ReservationId


class SeatLedgerClient:
    def __init__(self, call: Call, ledger_function: str, mend_function: str) -> None:
        self._call = call
        self._ledger_function = ledger_function
        self._mend_function = mend_function

    def ledger(self, event_id: EventId, after: ReservationId | None) -> SeatLedgerAnswer:
        """The page of the ledger behind the reservation `after`. Raises ServiceUnavailable."""
        asked = SeatLedgerAsked(event_id=event_id, after=after)
        return self._call(self._ledger_function, asked, SeatLedgerAnswer, read=True)

    def mend(self, asked: MendHoldsAsked) -> MendHoldsAnswer:
        """Raises ServiceUnavailable."""
        return self._call(self._mend_function, asked, MendHoldsAnswer, read=False)
