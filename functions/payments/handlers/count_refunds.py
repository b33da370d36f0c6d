"""Internal: how far the refunds of a cancelled event have come, asked by events (EVT-028)."""

from common.contracts.internal_call import internal
from common.contracts.refund_tally import RefundTallyAnswer, RefundTallyAsked
from functions.payments.adapters.payment_repository import payment_store


@internal
def handler(asked: RefundTallyAsked) -> RefundTallyAnswer:
    tally = payment_store().refund_tally(asked.event_id, "EVENT_CANCELLED")
    return RefundTallyAnswer.model_validate({"event_id": asked.event_id, **tally})
