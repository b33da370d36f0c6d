"""Events asks payments how many refunds of a cancelled event are done (EVT-028)."""

from uuid import UUID

from common.domain.model import Model


class RefundTallyRequest(Model):
    event_id: UUID


class RefundTallyResponse(Model):
    """Only refunds with the reason EVENT_CANCELLED; amounts in won."""

    event_id: UUID
    due: int
    done: int
    amount_due: int
    amount_done: int
