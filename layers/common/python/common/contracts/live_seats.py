"""Events asks reservations for the seats of its live reservations and its holds, to compare them with its own seats,
and asks it to repair holds (EVT-030). A large event's seats come in pages.
"""

from typing import Annotated, Literal

from pydantic import Field

from common.domain.ids import EventId, ReservationId, SeatId
from common.domain.model import Model

LIVE_SEATS_PAGE = 5_000  # reservations; four seats each stay below Lambda's 6 MB


class LiveSeatsRequest(Model):
    event_id: EventId
    after: ReservationId | None = None  # the last reservation of the previous page


class LiveSeat(Model):
    """A seat of a reservation that is PENDING or CONFIRMED."""

    seat_id: SeatId
    reservation_id: ReservationId
    status: Literal["PENDING", "CONFIRMED"]


class HeldSeat(Model):
    """A seat that Redis shows as held; `reservation_id` is None when the hold itself has expired."""

    seat_id: SeatId
    reservation_id: ReservationId | None


class LiveSeatsResponse(Model):
    event_id: EventId
    seats: list[LiveSeat]
    holds: list[HeldSeat]  # of the whole event, on the first page
    more_after: ReservationId | None  # the next page starts after this one, if any


class RepairHoldsRequest(Model):
    """`release`: holds that belong to no reservation. `forgotten`: PENDING reservations whose holds are to be taken
    again."""

    event_id: EventId
    release: Annotated[list[HeldSeat], Field(max_length=1000)]
    forgotten: Annotated[list[ReservationId], Field(max_length=1000)]  # reservations


class RepairHoldsResponse(Model):
    released: int
    remembered: int
