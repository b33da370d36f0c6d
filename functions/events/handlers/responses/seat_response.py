"""An event's seats as clients see them: by grade, the dearest first, within it in the hall's order (EVT-006)."""

from typing import Literal
from uuid import UUID

from common.domain.model import Model
from functions.events.domain.seat_template import Grade


class SeatAnswer(Model):
    id: UUID
    number: str  # section-row-number: "A-1-1"
    status: Literal["AVAILABLE", "SOLD"]


class GradeAnswer(Model):
    grade: Grade
    price: int  # won
    seats: list[SeatAnswer]


class EventSeatsAnswer(Model):
    event_id: UUID
    grades: list[GradeAnswer]
