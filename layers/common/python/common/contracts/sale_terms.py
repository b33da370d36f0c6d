"""The waiting room asks events for the terms of an event's sale."""

from common.domain.ids import EventId
from common.domain.model import Model, Moment


class SaleTermsRequest(Model):
    event_id: EventId


class SaleTermsResponse(Model):
    event_id: EventId
    sale_starts_at: Moment
    sale_ends_at: Moment
    queue_capacity: int
    admission_per_second: int
    sold_out: bool
    seats_left: int | None = None  # not sold; held seats count
