"""Which seats a reservation's message moves, given how they stand (EVT-008, EVT-026).

The answer holds for the versions read: who writes it down must find them unchanged (EVT-023).
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from functions.events.problems import SEAT_NOT_FOUND, SEAT_SOLD_TO_ANOTHER


@dataclass(frozen=True)
class Seat:
    id: UUID
    sold_to: UUID | None  # the reservation
    version: int


def seats_to_sell(seats: Collection[Seat], asked: Collection[UUID], reservation_id: UUID) -> list[Seat]:
    """Those of `asked` that are not the reservation's yet.

    Refuses SEAT_NOT_FOUND for a seat that is not among the event's `seats`, and SEAT_SOLD_TO_ANOTHER rather than take
    a seat from who has it: all seats or none.
    """
    unknown = set(asked) - {seat.id for seat in seats}
    if unknown:
        raise SEAT_NOT_FOUND.refusal(seatIds=sorted(map(str, unknown)))
    others = [seat for seat in seats if seat.sold_to not in (None, reservation_id)]
    if others:
        raise SEAT_SOLD_TO_ANOTHER.refusal(seatIds=sorted(str(seat.id) for seat in others))
    return [seat for seat in seats if seat.sold_to is None]


def seats_to_free(seats: Collection[Seat], reservation_id: UUID) -> list[Seat]:
    """Those sold to the reservation, and no others: what it only held was never sold."""
    return [seat for seat in seats if seat.sold_to == reservation_id]
