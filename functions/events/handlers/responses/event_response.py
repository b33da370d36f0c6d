"""Events as clients see them; the one shape that creating, listing and reading answer with."""

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from common.domain.model import Model, Moment
from functions.events.domain.seat_template import GRADES, Grade
from functions.events.handlers.responses.venue_response import HallSummary, VenueSummary

EventStatus = Literal["UPCOMING", "ONGOING", "ENDED", "CANCELLED"]


def _dearest_first(by_grade: Mapping[Grade, int]) -> dict[Grade, int]:
    # Postgres's jsonb has an order of keys of its own.
    return {grade: by_grade[grade] for grade in GRADES if grade in by_grade}


ByGrade = Annotated[dict[Grade, int], AfterValidator(_dearest_first)]


class EventAnswer(Model):
    id: UUID
    title: str
    artist: str
    description: str
    status: EventStatus
    venue_id: UUID
    venue_name: str
    city: str
    hall_id: UUID
    hall_name: str
    starts_at: Moment
    ends_at: Moment
    sale_starts_at: Moment
    sale_ends_at: Moment
    prices: ByGrade  # won
    admission_per_second: int
    queue_capacity: int
    max_seats: int
    seat_count: int
    version: Annotated[int, Field(exclude=True)]  # counts its edits; goes into the ETag


class EventDetailAnswer(EventAnswer):
    venue: VenueSummary
    hall: HallSummary
    remaining: ByGrade  # seats not sold
