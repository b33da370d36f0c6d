"""Events asks payments how many refunds of a cancelled event are done (EVT-028)."""

from common.domain.ids import EventId
from common.domain.model import Model


class RefundCountsRequest(Model):
    event_id: EventId


class RefundCountsResponse(Model):
    """Only refunds with the reason EVENT_CANCELLED; amounts in won."""

    event_id: EventId
    due: int
    done: int
    amount_due: int
    amount_done: int
