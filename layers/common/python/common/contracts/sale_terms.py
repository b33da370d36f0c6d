"""The waiting room asks events for the terms of an event's sale."""

from uuid import UUID

from common.domain.model import Model, Moment


class SaleTermsRequest(Model):
    event_id: UUID


class SaleTermsResponse(Model):
    event_id: UUID
    sale_starts_at: Moment
    sale_ends_at: Moment
    queue_capacity: int
    admission_per_second: int
    sold_out: bool
    seats_left: int | None = None  # not sold; held seats count
