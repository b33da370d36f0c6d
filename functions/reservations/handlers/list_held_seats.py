"""Internal: the seats of an event's live reservations and what Redis holds, asked by reconciliation (EVT-030)."""

from common.contracts.internal_call import internal
from common.contracts.seat_ledger import SeatLedgerAnswer, SeatLedgerAsked
from functions.reservations.wiring.purchases import hold_mending


@internal
def handler(asked: SeatLedgerAsked) -> SeatLedgerAnswer:
    return hold_mending().ledger(asked.event_id, asked.after)
