"""The call by which events learns how many reservations of an event there are, before deleting it and after cancelling
it (EVT-003, EVT-028): asked of reservations."""

from uuid import UUID

from common.domain.model import Model


class EventTallyAsked(Model):
    event_id: UUID


class EventTallyAnswer(Model):
    event_id: UUID
    pending: int
    confirmed: int
    event_cancelled: int  # CANCELLED because the event was
    refund_amount: int  # won, of those
    seen_through: bool  # the event's cancellation has reached every reservation
