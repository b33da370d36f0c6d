"""The call by which reservations learns an event's sale and the seats someone wants: asked of events at hold time.

Refuses NOT_FOUND for an event there is none of. Seats that are not the event's are left out of the answer, so the
caller finds them by comparing; with no seats asked for it still learns the sale and `seat_count`.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from common.domain.limits import MAX_SEATS_PER_RESERVATION
from common.domain.model import Model, Moment


class SeatCatalogueAsked(Model):
    event_id: UUID
    seat_ids: Annotated[list[UUID], Field(default_factory=list, max_length=MAX_SEATS_PER_RESERVATION)]


class SeatOffer(Model):
    id: UUID
    number: str  # section-row-number: "A-1-1"
    grade: str
    price: int  # won
    status: Literal["AVAILABLE", "SOLD"]


class SeatCatalogueAnswer(Model):
    event_id: UUID
    title: str
    starts_at: Moment
    sale_starts_at: Moment
    sale_ends_at: Moment
    cancelled: bool
    max_seats: int  # a reservation, of this event
    seat_count: int  # of the whole event
    seats: list[SeatOffer]  # in the hall's order
