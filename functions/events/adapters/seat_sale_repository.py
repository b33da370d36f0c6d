"""The sales of seats in Postgres, in the caller's transaction, which also records the message that moves them."""

from collections.abc import Collection, Sequence

from common.domain.ids import EventId, ReservationId, SeatId
from common.stores.postgres import Connection
from functions.events.domain.errors import SeatMoved
from functions.events.domain.seat_sale import Seat


class SeatSaleRepository:
    def read(self, connection: Connection, event_id: EventId, seat_ids: Collection[SeatId]) -> list[Seat]:
        """Those of `seat_ids` that are the event's."""
        rows = connection.execute(
            "SELECT id, claims, version FROM event_service.seats WHERE id = ANY (%s::uuid[]) AND event_id = %s",
            (list(seat_ids), event_id),
        )
        return [Seat(SeatId(row["id"]), tuple(map(ReservationId, row["claims"])), row["version"]) for row in rows]

    def add_sale(
        self, connection: Connection, event_id: EventId, seats: Sequence[Seat], reservation_id: ReservationId
    ) -> None:
        """Raises SeatMoved if a seat is no longer at the version read (EVT-023)."""
        _write(connection, event_id, seats, "array_append", reservation_id)

    def remove_sale(
        self, connection: Connection, event_id: EventId, seats: Sequence[Seat], reservation_id: ReservationId
    ) -> None:
        """Raises SeatMoved if a seat is no longer at the version read (EVT-023)."""
        _write(connection, event_id, seats, "array_remove", reservation_id)


def _write(
    connection: Connection, event_id: EventId, seats: Sequence[Seat], change: str, reservation_id: ReservationId
) -> None:
    """Changes seats that are still as they were read, and counts the change in their event's version."""
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
    # Last, because another writer of the event's seats waits here until this transaction has committed.
    connection.execute("UPDATE event_service.events SET seats_version = seats_version + 1 WHERE id = %s", (event_id,))
