"""An event's seats as the API answers them: as a list, or as layout and statuses (EVT-006). The list is by grade, the
most expensive first, then in the hall's order.

`SeatList` renders the list. The other two have the domain models' own JSON, which is what the cache keeps.
"""

from typing import Literal

from common.domain.ids import EventId, SeatId
from common.domain.model import Model
from functions.events.domain.seat_layout import SeatLayout, SeatStatuses
from functions.events.domain.seat_template import Grade


class SeatResponse(Model):
    id: SeatId
    number: str  # section-row-number: "A-1-1"
    status: Literal["AVAILABLE", "SOLD"]


class GradeResponse(Model):
    grade: Grade
    price: int  # won
    seats: list[SeatResponse]


class SeatListResponse(Model):
    event_id: EventId
    grades: list[GradeResponse]


class SeatLayoutResponse(SeatLayout):
    __doc__ = SeatLayout.__doc__


class SeatStatusesResponse(SeatStatuses):
    __doc__ = SeatStatuses.__doc__
