"""An event as the service stores and shows it. Amounts in won (EVT-001, EVT-005, EVT-007)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from common.domain.ids import EventId, HallId, VenueId
from common.domain.limits import MaxSeatsPer
from functions.events.domain.seat_template import Grade
from functions.events.domain.venue import HallSummary, Venue

EventStatus = Literal["UPCOMING", "ONGOING", "ENDED", "CANCELLED"]


@dataclass(frozen=True, kw_only=True)
class Event:
    id: EventId
    title: str
    artist: str
    description: str
    status: EventStatus  # at the time it was read
    venue_id: VenueId
    venue_name: str
    city: str
    hall_id: HallId
    hall_name: str
    starts_at: datetime
    ends_at: datetime
    sale_starts_at: datetime
    sale_ends_at: datetime
    prices: Mapping[Grade, int]  # VIP first
    admission_per_second: int
    queue_capacity: int
    max_seats: int
    max_seats_per: MaxSeatsPer
    seat_count: int
    version: int  # counts its edits


@dataclass(frozen=True, kw_only=True)
class EventDetail(Event):
    venue: Venue
    hall: HallSummary
    remaining: Mapping[Grade, int]  # seats not sold, VIP first


@dataclass(frozen=True)
class ListHorizon:
    """Until when a list shows every status correctly, and whether any sale starts soon or has just started."""

    next_change: datetime | None
    around_sale: bool


@dataclass(frozen=True)
class EventPage:
    """One page of the events found; `total` counts all of them."""

    items: Sequence[Event]
    total: int
    horizon: ListHorizon


@dataclass(frozen=True, kw_only=True)
class SaleTerms:
    """What the waiting room needs to know of a sale. The sale of a cancelled event ends when it was cancelled."""

    event_id: EventId
    sale_starts_at: datetime
    sale_ends_at: datetime
    queue_capacity: int
    admission_per_second: int
    sold_out: bool
    seats_left: int  # not sold; held ones count


@dataclass(frozen=True)
class Cancellation:
    cancelled_at: datetime
    reason: str
