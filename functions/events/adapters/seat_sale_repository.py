"""Seats in Postgres, moved: in the caller's transaction, beside its record of the message that moves them."""

from collections.abc import Collection, Sequence
from uuid import UUID

from common.domain.shared_errors import DomainError
from common.stores.postgres import Connection
from functions.events.domain.seat_sale import Seat, seats_to_free, seats_to_sell


class SeatMoved(DomainError):
    """Another writer changed a seat between our read and our write. A consumer retries its message."""

    code = "SEAT_MOVED"
    retryable = True


def sell_seats(connection: Connection, event_id: UUID, seat_ids: Collection[UUID], reservation_id: UUID) -> bool:
    """Give the reservation a claim on seats; once more changes nothing. Raises as `seats_to_sell`; raises `SeatMoved`.

    False when another's claim is there before it: to be cancelled any moment, or a seat sold twice.
    """
    seats = seats_to_sell(_read(connection, event_id, seat_ids), seat_ids, reservation_id)
    _write(connection, event_id, seats, "array_append", reservation_id)
    return not any(seat.claims for seat in seats)


def free_seats(connection: Connection, event_id: UUID, seat_ids: Collection[UUID], reservation_id: UUID) -> int:
    """Take the reservation's claim from those of the seats that have it; how many. Raises `SeatMoved`."""
    seats = seats_to_free(_read(connection, event_id, seat_ids), reservation_id)
    _write(connection, event_id, seats, "array_remove", reservation_id)
    return len(seats)


def _read(connection: Connection, event_id: UUID, seat_ids: Collection[UUID]) -> list[Seat]:
    rows = connection.execute(
        "SELECT id, claims, version FROM event_service.seats WHERE id = ANY (%s::uuid[]) AND event_id = %s",
        (list(seat_ids), event_id),
    )
    return [Seat(row["id"], tuple(row["claims"]), row["version"]) for row in rows]


def _write(connection: Connection, event_id: UUID, seats: Sequence[Seat], change: str, reservation_id: UUID) -> None:
    """Move seats that are still as they were read (EVT-023), and count the move in their event's version."""
    if not seats:
        return
    written = connection.execute(
        f"""
        UPDATE event_service.seats
           SET claims = {change}(claims, %(reservation)s), version = seats.version + 1
          FROM unnest(%(ids)s::uuid[], %(versions)s::int[]) AS read (id, version)
         WHERE seats.id = read.id AND seats.version = read.version
        """,
        {
            "reservation": reservation_id,
            "ids": [seat.id for seat in seats],
            "versions": [seat.version for seat in seats],
        },
    ).rowcount
    if written < len(seats):
        raise SeatMoved
    # Last, for whoever moves another seat of the event waits here until we have committed.
    connection.execute("UPDATE event_service.events SET seats_version = seats_version + 1 WHERE id = %s", (event_id,))
