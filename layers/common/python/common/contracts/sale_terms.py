"""The call by which the waiting room learns an event's sale: asked of events, answered from its own tables."""

from uuid import UUID

from common.domain.model import Model, Moment


class SaleTermsAsked(Model):
    event_id: UUID


class SaleTermsAnswer(Model):
    event_id: UUID
    sale_starts_at: Moment
    sale_ends_at: Moment
    queue_capacity: int
    admission_per_second: int
    sold_out: bool
    seats_left: int | None = None  # not sold; held ones count
