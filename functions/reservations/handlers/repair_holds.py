"""Internal: release holds of nobody, take forgotten ones again, asked by reconciliation (EVT-030)."""

from common.contracts.internal_call import internal
from common.contracts.seat_ledger import MendHoldsAnswer, MendHoldsAsked
from functions.reservations.wiring.purchases import hold_mending


@internal
def handler(asked: MendHoldsAsked) -> MendHoldsAnswer:
    return hold_mending().mend(asked.event_id, asked.release, asked.forgotten)
