"""Events as the API answers them."""

from typing import Self

from common.domain.ids import EventId, HallId, VenueId
from common.domain.limits import MaxSeatsPer
from common.domain.model import Model, Moment
from common.http.page import Page
from functions.events.domain.event import Event, EventDetail, EventPage, EventStatus
from functions.events.domain.event_search import EventSearch
from functions.events.domain.seat_template import Grade
from functions.events.handlers.responses.venue_response import HallSummaryResponse, VenueSummaryResponse


class EventResponse(Model):
    id: EventId
    title: str
    artist: str
    description: str
    status: EventStatus
    venue_id: VenueId
    venue_name: str
    city: str
    hall_id: HallId
    hall_name: str
    starts_at: Moment
    ends_at: Moment
    sale_starts_at: Moment
    sale_ends_at: Moment
    prices: dict[Grade, int]  # won
    admission_per_second: int
    queue_capacity: int
    max_seats: int
    max_seats_per: MaxSeatsPer
    seat_count: int

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls.model_validate(event, from_attributes=True)


class EventDetailResponse(EventResponse):
    venue: VenueSummaryResponse
    hall: HallSummaryResponse
    remaining: dict[Grade, int]  # seats not sold


def render_event(event: EventDetail) -> str:
    return EventDetailResponse.of(event).to_json()


def render_page(page: EventPage, search: EventSearch) -> str:
    items = [EventResponse.of(event) for event in page.items]
    return Page[EventResponse](items=items, page=search.page, size=search.size, total=page.total).to_json()
