"""The call by which events learns how far the refunds of a cancelled event have come (EVT-028): asked of payments."""

from uuid import UUID

from common.domain.model import Model


class RefundTallyAsked(Model):
    event_id: UUID


class RefundTallyAnswer(Model):
    """Refunds for EVENT_CANCELLED alone; amounts in won."""

    event_id: UUID
    due: int
    done: int
    amount_due: int
    amount_done: int
