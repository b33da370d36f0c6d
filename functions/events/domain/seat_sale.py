"""Which seats a reservation's message sells or frees (EVT-008, EVT-026).

Two reservations of one seat, the first cancelled before the second was made, have messages in two partitions, so the
second's confirmation may be consumed before the first's cancellation. A seat therefore keeps every reservation that was
confirmed and not yet cancelled, in the order consumed, and is SOLD to the first while there is any: the order of the
messages makes no difference in the end. The reservations' unique index ensures that only one of them is live; if it
failed, the seat would keep two, which reconciliation reports.

A decision holds for the versions read: the seats must be unchanged when it is written (EVT-023).
"""

from collections.abc import Collection
from dataclasses import dataclass

from common.domain.ids import ReservationId, SeatId
from common.domain.shared_errors import SeatNotFound


@dataclass(frozen=True)
class Seat:
    id: SeatId
    sales: tuple[ReservationId, ...]  # it is SOLD to the first
    version: int


def seats_to_sell(seats: Collection[Seat], requested: Collection[SeatId], reservation_id: ReservationId) -> list[Seat]:
    """The requested seats that are not sold to the reservation yet.

    Raises SeatNotFound if one of `requested` is not among the event's `seats`: all seats are sold or none.
    """
    unknown = set(requested) - {seat.id for seat in seats}
    if unknown:
        raise SeatNotFound(seatIds=sorted(map(str, unknown)))
    return [seat for seat in seats if reservation_id not in seat.sales]


def seats_to_free(seats: Collection[Seat], reservation_id: ReservationId) -> list[Seat]:
    """The seats that are sold to the reservation. Seats that it only held were never sold."""
    return [seat for seat in seats if reservation_id in seat.sales]
