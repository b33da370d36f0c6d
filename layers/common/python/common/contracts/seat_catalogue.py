"""Reservations asks events for an event's sale and some of its seats, before it holds them.

Answers NotFound if the event does not exist. Seats of other events are left out of the answer: the caller finds them by
comparing. Without seats the answer has the sale and `seat_count`.
"""

from typing import Annotated, Literal

from pydantic import Field

from common.domain.ids import EventId, SeatId
from common.domain.limits import MAX_SEATS_PER_RESERVATION, MaxSeatsPer
from common.domain.model import Model, Moment


class SeatCatalogueRequest(Model):
    event_id: EventId
    seat_ids: Annotated[list[SeatId], Field(default_factory=list, max_length=MAX_SEATS_PER_RESERVATION)]


class CatalogueSeat(Model):
    id: SeatId
    number: str  # section-row-number: "A-1-1"
    grade: str
    price: int  # won
    status: Literal["AVAILABLE", "SOLD"]


class SeatCatalogueResponse(Model):
    event_id: EventId
    title: str
    starts_at: Moment
    sale_starts_at: Moment
    sale_ends_at: Moment
    cancelled: bool
    max_seats: int
    max_seats_per: MaxSeatsPer = "RESERVATION"  # a version that does not answer it has no limit for a person
    seat_count: int  # of the whole event
    seats: list[CatalogueSeat]  # in the hall's order
