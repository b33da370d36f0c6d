"""Seats in Postgres, moved: in the caller's transaction, beside its record of the message that moves them."""

from collections.abc import Collection, Sequence
from uuid import UUID

from common.postgres import Connection
from functions.events.seat_sale import Seat, seats_to_free, seats_to_sell


class SeatMoved(Exception):
    """Another writer moved a seat between our reading and our writing. To be tried again."""


def sell_seats(connection: Connection, event_id: UUID, seat_ids: Collection[UUID], reservation_id: UUID) -> None:
    """Mark seats SOLD to a reservation; once more changes nothing. Refuses as `seats_to_sell`; raises `SeatMoved`."""
    seats = _read(connection, event_id, seat_ids)
    _write(connection, seats_to_sell(seats, seat_ids, reservation_id), sold_to=reservation_id)


def free_seats(connection: Connection, event_id: UUID, seat_ids: Collection[UUID], reservation_id: UUID) -> None:
    """Mark AVAILABLE those of the seats that are sold to the reservation. Raises `SeatMoved`."""
    seats = _read(connection, event_id, seat_ids)
    _write(connection, seats_to_free(seats, reservation_id), sold_to=None)


def _read(connection: Connection, event_id: UUID, seat_ids: Collection[UUID]) -> list[Seat]:
    rows = connection.execute(
        "SELECT id, sold_to, version FROM event_service.seats WHERE id = ANY (%s::uuid[]) AND event_id = %s",
        (list(seat_ids), event_id),
    )
    return [Seat(**row) for row in rows]


def _write(connection: Connection, seats: Sequence[Seat], sold_to: UUID | None) -> None:
    """Move seats that are still as they were read (EVT-023)."""
    written = connection.execute(
        """
        UPDATE event_service.seats
           SET sold_to = %(sold_to)s, status = %(status)s, version = seats.version + 1
          FROM unnest(%(ids)s::uuid[], %(versions)s::int[]) AS read (id, version)
         WHERE seats.id = read.id AND seats.version = read.version
        """,
        {
            "sold_to": sold_to,
            "status": "AVAILABLE" if sold_to is None else "SOLD",
            "ids": [seat.id for seat in seats],
            "versions": [seat.version for seat in seats],
        },
    ).rowcount
    if written < len(seats):
        raise SeatMoved
