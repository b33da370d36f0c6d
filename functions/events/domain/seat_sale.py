"""Which seats a reservation's message moves, given how they stand (EVT-008, EVT-026).

Two reservations of one seat, the first cancelled before the second was made, tell of it in two partitions, so the
second's confirmation may overtake the first's cancellation. A seat therefore keeps every claim that was confirmed and
not yet cancelled, in the order heard, and is SOLD to the first while there is any: the order of arrival changes nothing
in the end. That no two claims are live in truth is for the reservations' unique index; here it would only show as two
claims that stay, which reconciliation reports.

The answer holds for the versions read: who writes it down must find them unchanged (EVT-023).
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from common.domain.shared_errors import SeatNotFound


@dataclass(frozen=True)
class Seat:
    id: UUID
    claims: tuple[UUID, ...]  # reservations, the one it is sold to first
    version: int


def seats_to_sell(seats: Collection[Seat], asked: Collection[UUID], reservation_id: UUID) -> list[Seat]:
    """Those of `asked` that the reservation has no claim on yet.

    Raises SeatNotFound for a seat that is not among the event's `seats`: all seats or none.
    """
    unknown = set(asked) - {seat.id for seat in seats}
    if unknown:
        raise SeatNotFound(seatIds=sorted(map(str, unknown)))
    return [seat for seat in seats if reservation_id not in seat.claims]


def seats_to_free(seats: Collection[Seat], reservation_id: UUID) -> list[Seat]:
    """Those the reservation has a claim on, and no others: what it only held was never sold."""
    return [seat for seat in seats if reservation_id in seat.claims]
