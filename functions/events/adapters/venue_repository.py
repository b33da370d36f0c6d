"""Venues and halls in Postgres. Deleted ones are kept but hidden, for the events that took place there."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from common.domain.ids import EventId, HallId, VenueId
from common.domain.shared_errors import NotFound
from common.stores.postgres import Connection, Database, Row
from functions.events.domain.seat_template import SeatTemplate
from functions.events.domain.venue import Hall, HallSummary, ListedVenue, Venue, VenuePage, VenueWithHalls

_VENUE = """
    SELECT id, name, address, city, version,
           array(SELECT to_jsonb(halls) FROM event_service.halls
                  WHERE venue_id = venues.id AND deleted_at IS NULL ORDER BY name, id) AS halls
      FROM event_service.venues
     WHERE id = %s AND deleted_at IS NULL
"""


class VenueRepository:
    """Methods with a `connection` run in the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- venues -------------------------------------------------------------------------------------------------

    def insert(self, connection: Connection, venue: Venue) -> None:
        connection.execute(
            "INSERT INTO event_service.venues (id, name, address, city) VALUES (%s, %s, %s, %s)",
            (venue.id, venue.name, venue.address, venue.city),
        )

    def lock(self, connection: Connection, venue_id: VenueId) -> Venue:
        """The venue, locked until the transaction ends. Raises NotFound.

        The lock also keeps events from being created there, since those lock the venue shared
        (`EventRepository.lock_hall`).
        """
        row = _found(
            connection.execute(
                """
                SELECT id, name, address, city, version FROM event_service.venues
                 WHERE id = %s AND deleted_at IS NULL FOR UPDATE
                """,
                (venue_id,),
            ).fetchone()
        )
        return Venue(**row)

    def update(self, connection: Connection, venue: Venue) -> None:
        """The venue's name, address and city; counts up its version."""
        connection.execute(
            """
            UPDATE event_service.venues SET name = %s, address = %s, city = %s, version = version + 1 WHERE id = %s
            """,
            (venue.name, venue.address, venue.city, venue.id),
        )

    def mark_deleted(self, connection: Connection, venue_id: VenueId) -> None:
        """The venue and its halls."""
        for statement in (
            "UPDATE event_service.halls SET deleted_at = now() WHERE venue_id = %s AND deleted_at IS NULL",
            "UPDATE event_service.venues SET deleted_at = now() WHERE id = %s",
        ):
            connection.execute(statement, (venue_id,))

    def read(self, connection: Connection, venue_id: VenueId) -> VenueWithHalls:
        """The venue as this transaction has left it. Raises NotFound."""
        return _with_halls(_found(connection.execute(_VENUE, (venue_id,)).fetchone()))

    def venue(self, venue_id: VenueId) -> VenueWithHalls:
        """Raises NotFound."""
        return _with_halls(_found(self._database.row(_VENUE, (venue_id,))))

    def page(self, city: str | None, *, limit: int, offset: int) -> VenuePage:
        """Venues by name, of one city or of all."""
        narrowed = {"city": city}
        total = self._database.rows(
            """
            SELECT count(*) AS total FROM event_service.venues
             WHERE deleted_at IS NULL AND (%(city)s::text IS NULL OR city = %(city)s)
            """,
            narrowed,
        )[0]["total"]
        rows = self._database.rows(
            """
            SELECT id, name, address, city,
                   array(SELECT jsonb_build_object('id', id, 'name', name, 'capacity', capacity)
                           FROM event_service.halls
                          WHERE venue_id = venues.id AND deleted_at IS NULL ORDER BY name, id) AS halls
              FROM event_service.venues
             WHERE deleted_at IS NULL AND (%(city)s::text IS NULL OR city = %(city)s)
             ORDER BY name, id
             LIMIT %(limit)s OFFSET %(offset)s
            """,
            {**narrowed, "limit": limit, "offset": offset},
        )
        items = [ListedVenue(**{**row, "halls": [_summary(hall) for hall in row["halls"]]}) for row in rows]
        return VenuePage(items, total)

    def event_ids(self, venue_id: VenueId) -> Collection[EventId]:
        """The events that show this venue's name."""
        rows = self._database.rows(
            "SELECT id FROM event_service.events WHERE venue_id = %s AND deleted_at IS NULL", (venue_id,)
        )
        return [EventId(row["id"]) for row in rows]

    def is_in_use(
        self, connection: Connection, now: datetime, venue_id: VenueId, hall_id: HallId | None = None
    ) -> bool:
        """Whether an event in the venue, or in the one hall, is not over, not cancelled and not deleted."""
        using = connection.execute(
            """
            SELECT 1 FROM event_service.events
             WHERE venue_id = %(venue)s AND (%(hall)s::uuid IS NULL OR hall_id = %(hall)s)
               AND deleted_at IS NULL AND cancelled_at IS NULL AND ends_at > %(now)s
             LIMIT 1
            """,
            {"venue": venue_id, "hall": hall_id, "now": now},
        ).fetchone()
        return using is not None

    # -- halls --------------------------------------------------------------------------------------------------

    def insert_hall(self, connection: Connection, hall: Hall) -> None:
        """Raises NotFound if the venue does not exist."""
        inserted = connection.execute(
            """
            INSERT INTO event_service.halls (id, venue_id, name, seat_template, capacity)
            SELECT %(id)s, venues.id, %(name)s, %(template)s, %(capacity)s
              FROM event_service.venues WHERE venues.id = %(venue_id)s AND deleted_at IS NULL FOR SHARE
            """,
            {
                "id": hall.id,
                "venue_id": hall.venue_id,
                "name": hall.name,
                "template": json.dumps(hall.seat_template.to_dict()),
                "capacity": hall.capacity,
            },
        ).rowcount
        if not inserted:
            raise NotFound()

    def lock_hall(self, connection: Connection, venue_id: VenueId, hall_id: HallId) -> Hall:
        """The hall, locked until the transaction ends, as `lock` locks a venue. Raises NotFound."""
        row = _found(
            connection.execute(
                "SELECT * FROM event_service.halls WHERE id = %s AND venue_id = %s AND deleted_at IS NULL FOR UPDATE",
                (hall_id, venue_id),
            ).fetchone()
        )
        return Hall(
            id=hall_id,
            venue_id=venue_id,
            name=row["name"],
            capacity=row["capacity"],
            seat_template=SeatTemplate.model_validate(row["seat_template"]),
            version=row["version"],
        )

    def update_hall(self, connection: Connection, hall: Hall) -> None:
        """The hall's name and seats; counts up its version."""
        connection.execute(
            """
            UPDATE event_service.halls SET name = %s, seat_template = %s, capacity = %s, version = version + 1
             WHERE id = %s
            """,
            (hall.name, json.dumps(hall.seat_template.to_dict()), hall.capacity, hall.id),
        )

    def mark_hall_deleted(self, connection: Connection, hall_id: HallId) -> None:
        connection.execute("UPDATE event_service.halls SET deleted_at = now() WHERE id = %s", (hall_id,))


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound()
    return row


def _with_halls(row: Row) -> VenueWithHalls:
    return VenueWithHalls(**{**row, "halls": [_hall(hall) for hall in row["halls"]]})


def _hall(document: dict[str, Any]) -> Hall:
    """A hall as `to_jsonb` gives it: ids are strings."""
    return Hall(
        id=HallId(UUID(document["id"])),
        venue_id=VenueId(UUID(document["venue_id"])),
        name=document["name"],
        capacity=document["capacity"],
        seat_template=SeatTemplate.model_validate(document["seat_template"]),
        version=document["version"],
    )


def _summary(document: dict[str, Any]) -> HallSummary:
    return HallSummary(id=HallId(UUID(document["id"])), name=document["name"], capacity=document["capacity"])
