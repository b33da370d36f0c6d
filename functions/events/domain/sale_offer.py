"""An event's sale and the seats that a buyer asks for (RSV-001)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from common.domain.ids import EventId, SeatId
from common.domain.limits import MaxSeatsPer
from functions.events.domain.seat_template import Grade

SeatStatus = Literal["AVAILABLE", "SOLD"]


@dataclass(frozen=True, kw_only=True)
class OfferedSeat:
    id: SeatId
    number: str  # section-row-number: "A-1-1"
    grade: Grade
    price: int  # won
    status: SeatStatus


@dataclass(frozen=True, kw_only=True)
class SaleOffer:
    event_id: EventId
    title: str
    starts_at: datetime
    sale_starts_at: datetime
    sale_ends_at: datetime
    cancelled: bool
    max_seats: int
    max_seats_per: MaxSeatsPer
    seat_count: int  # of the whole event
    seats: Sequence[OfferedSeat]  # in the hall's order
