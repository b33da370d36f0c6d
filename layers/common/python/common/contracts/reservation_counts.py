"""Events asks reservations how many reservations an event has, before it deletes the event and after it cancels it
(EVT-003, EVT-028)."""

from common.domain.ids import EventId
from common.domain.model import Model


class ReservationCountsRequest(Model):
    event_id: EventId


class ReservationCountsResponse(Model):
    event_id: EventId
    pending: int
    confirmed: int
    event_cancelled: int  # CANCELLED because the event is cancelled
    refund_amount: int  # won, of those reservations
    seen_through: bool  # the event's cancellation has reached every reservation
