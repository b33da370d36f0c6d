"""The progress of a cancellation as the API answers it."""

from typing import Self

from common.domain.ids import EventId
from common.domain.model import Model, Moment
from functions.events.domain.cancellation import CancellationProgress


class CancellationResponse(Model):
    """How far a cancelled event's refunds have come. Amounts in won."""

    event_id: EventId
    reason: str
    cancelled_at: Moment
    reservations_to_cancel: int
    reservations_cancelled: int
    refunds_due: int
    refunds_done: int
    amount_due: int
    amount_refunded: int
    done: bool

    @classmethod
    def of(cls, progress: CancellationProgress) -> Self:
        return cls.model_validate(progress, from_attributes=True)
