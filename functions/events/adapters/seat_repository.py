"""Reads of seats in Postgres: by event, by status, by id."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from common.domain.ids import EventId, ReservationId, SeatId
from common.domain.shared_errors import NotFound
from common.stores.postgres import Database, Row
from functions.events.domain.sale_offer import OfferedSeat, SaleOffer
from functions.events.domain.seat_layout import PricedSection, SeatLayout, SeatStatuses, bitmap


class SeatRepository:
    """`reader` may be a replica that lags behind `database`: seat statuses are read from it (EVT-022)."""

    def __init__(self, database: Database, reader: Database | None = None) -> None:
        self._database = database
        self._reader = reader or database

    def layout(self, event_id: EventId) -> SeatLayout:
        """The positions, numbers and ids of the event's seats, in one round trip. Raises NotFound."""
        found = _found(
            self._database.row(
                """
                SELECT layout_version, prices, seat_template -> 'sections' AS sections,
                       (SELECT string_agg(replace(id::text, '-', ''), '' ORDER BY position)
                          FROM event_service.seats WHERE event_id = events.id) AS ids
                  FROM event_service.events
                 WHERE id = %s AND deleted_at IS NULL
                """,
                (event_id,),
            )
        )
        sections = [
            PricedSection.model_validate({**section, "price": found["prices"][section["grade"]]})
            for section in found["sections"]
        ]
        return SeatLayout.of(event_id, found["layout_version"], sections, found["ids"])

    def statuses(self, event_id: EventId, *, recent: bool = False) -> tuple[SeatStatuses, datetime]:
        """Which seats are sold, and when the sale starts, in one round trip. Raises NotFound."""
        found = _found(
            (self._database if recent else self._reader).row(
                """
                SELECT layout_version, seats_version AS version, seat_count, sale_starts_at,
                       array(SELECT position - 1 FROM event_service.seats
                              WHERE event_id = events.id AND status = 'SOLD') AS sold
                  FROM event_service.events
                 WHERE id = %s AND deleted_at IS NULL
                """,
                (event_id,),
            )
        )
        statuses = SeatStatuses(
            event_id=event_id,
            layout_version=found["layout_version"],
            version=found["version"],
            seat_count=found["seat_count"],
            sold_count=len(found["sold"]),
            sold=bitmap(found["seat_count"], found["sold"]),
        )
        return statuses, found["sale_starts_at"]

    def sales(self, event_id: EventId) -> dict[SeatId, list[ReservationId]]:
        """Seats of the event that are SOLD, each with the reservations it is sold to."""
        rows = self._database.rows(
            "SELECT id, claims FROM event_service.seats WHERE event_id = %s AND status = 'SOLD'", (event_id,)
        )
        return {SeatId(row["id"]): list(map(ReservationId, row["claims"])) for row in rows}

    def offer(self, event_id: EventId, seat_ids: Collection[SeatId]) -> SaleOffer:
        """The event's sale and those of `seat_ids` that are its seats, in one round trip. Raises NotFound."""
        row = self._database.row(
            """
            SELECT title, starts_at, sale_starts_at, sale_ends_at,
                   cancelled_at IS NOT NULL AS cancelled, max_seats, max_seats_per, seat_count,
                   array(SELECT jsonb_build_object(
                                  'id', id, 'number', number, 'grade', grade, 'price', price, 'status', status)
                           FROM event_service.seats
                          WHERE id = ANY (%(seat_ids)s::uuid[]) AND event_id = events.id
                          ORDER BY position) AS seats
              FROM event_service.events
             WHERE id = %(event_id)s AND deleted_at IS NULL
            """,
            {"event_id": event_id, "seat_ids": list(seat_ids)},
        )
        found = _found(row)
        seats = [OfferedSeat(**{**seat, "id": SeatId(UUID(seat["id"]))}) for seat in found["seats"]]
        return SaleOffer(**{**found, "event_id": event_id, "seats": seats})


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound()
    return row
