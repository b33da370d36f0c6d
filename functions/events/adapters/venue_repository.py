"""Venues and their halls in Postgres. What is deleted stays, out of sight, for the events that were there."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from common.domain.clock import Clock, utc_now
from common.domain.shared_errors import DomainError, NotFound
from common.http.page import Page
from common.http.request import Paging
from common.stores.postgres import Connection, Database, Row
from functions.events.domain.entity_tag import ANY, Expected
from functions.events.domain.errors import HallInUse, VenueInUse
from functions.events.domain.seat_template import SeatTemplate
from functions.events.handlers.responses.venue_response import HallAnswer, VenueAnswer, VenueDetailAnswer, VenueSummary


class VenueStore:
    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    # -- venues -------------------------------------------------------------------------------------------------

    def create(self, venue: VenueSummary) -> VenueAnswer:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO event_service.venues (id, name, address, city) VALUES (%s, %s, %s, %s)",
                (venue.id, venue.name, venue.address, venue.city),
            )
        return VenueAnswer(**dict(venue), halls=[])

    def edit(self, venue_id: UUID, changes: dict[str, Any], expected: Expected = ANY) -> VenueDetailAnswer:
        """The venue with `changes` of its name, address and city. Raises NotFound and PRECONDITION_FAILED."""
        with self._database.transaction() as connection:
            venue = _locked_venue(connection, venue_id)
            expected.check(venue["version"])
            wanted = {**venue, **changes}
            if wanted != venue:
                connection.execute(
                    """
                    UPDATE event_service.venues
                       SET name = %(name)s, address = %(address)s, city = %(city)s, version = version + 1
                     WHERE id = %(id)s
                    """,
                    wanted,
                )
            return _detail(connection.execute(_VENUE, (venue_id,)).fetchone())

    def delete(self, venue_id: UUID, expected: Expected = ANY) -> None:
        """The venue and its halls, gone. Raises NotFound, PRECONDITION_FAILED, and VenueInUse while an event there
        is not over."""
        with self._database.transaction() as connection:
            expected.check(_locked_venue(connection, venue_id)["version"])
            _refuse_in_use(connection, VenueInUse, self._clock(), venue_id)
            for statement in (
                "UPDATE event_service.halls SET deleted_at = now() WHERE venue_id = %s AND deleted_at IS NULL",
                "UPDATE event_service.venues SET deleted_at = now() WHERE id = %s",
            ):
                connection.execute(statement, (venue_id,))

    def venue(self, venue_id: UUID) -> VenueDetailAnswer:
        """Raises NotFound."""
        return _detail(self._database.row(_VENUE, (venue_id,)))

    def page(self, city: str | None, paging: Paging) -> Page[VenueAnswer]:
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
            {**narrowed, "limit": paging.size, "offset": paging.offset},
        )
        items = [VenueAnswer.model_validate(row) for row in rows]
        return Page[VenueAnswer](items=items, page=paging.page, size=paging.size, total=total)

    def events_at(self, venue_id: UUID) -> Collection[UUID]:
        """The events that show this venue's name."""
        rows = self._database.rows(
            "SELECT id FROM event_service.events WHERE venue_id = %s AND deleted_at IS NULL", (venue_id,)
        )
        return [row["id"] for row in rows]

    # -- halls --------------------------------------------------------------------------------------------------

    def create_hall(self, hall_id: UUID, venue_id: UUID, name: str, template: SeatTemplate) -> HallAnswer:
        """Raises NotFound for a venue there is none of."""
        with self._database.transaction() as connection:
            made = connection.execute(
                """
                INSERT INTO event_service.halls (id, venue_id, name, seat_template, capacity)
                SELECT %(id)s, venues.id, %(name)s, %(template)s, %(capacity)s
                  FROM event_service.venues WHERE venues.id = %(venue_id)s AND deleted_at IS NULL FOR SHARE
                """,
                {
                    "id": hall_id,
                    "venue_id": venue_id,
                    "name": name,
                    "template": json.dumps(template.to_dict()),
                    "capacity": template.capacity,
                },
            ).rowcount
        if not made:
            raise NotFound()
        return HallAnswer(id=hall_id, venue_id=venue_id, name=name, capacity=template.capacity, seat_template=template)

    def edit_hall(
        self,
        venue_id: UUID,
        hall_id: UUID,
        name: str | None,
        template: SeatTemplate | None,
        expected: Expected = ANY,
    ) -> HallAnswer:
        """The hall under another name, or with another template. Raises NotFound, PRECONDITION_FAILED, and
        HallInUse for another template while an event there is not over: its seats are made from this one."""
        with self._database.transaction() as connection:
            found = _locked_hall(connection, venue_id, hall_id)
            expected.check(found["version"])
            hall = HallAnswer.model_validate(found)
            changes: dict[str, Any] = {} if name is None else {"name": name}
            if template is not None and template != hall.seat_template:
                _refuse_in_use(connection, HallInUse, self._clock(), venue_id, hall_id)
                changes |= {"seat_template": template, "capacity": template.capacity}
            wanted = hall.model_copy(update=changes)
            if wanted == hall:
                return hall
            connection.execute(
                """
                UPDATE event_service.halls SET name = %s, seat_template = %s, capacity = %s, version = version + 1
                 WHERE id = %s
                """,
                (wanted.name, json.dumps(wanted.seat_template.to_dict()), wanted.capacity, hall_id),
            )
            return wanted.model_copy(update={"version": hall.version + 1})

    def delete_hall(self, venue_id: UUID, hall_id: UUID, expected: Expected = ANY) -> None:
        """Raises NotFound, PRECONDITION_FAILED, and HallInUse while an event there is not over."""
        with self._database.transaction() as connection:
            expected.check(_locked_hall(connection, venue_id, hall_id)["version"])
            _refuse_in_use(connection, HallInUse, self._clock(), venue_id, hall_id)
            connection.execute("UPDATE event_service.halls SET deleted_at = now() WHERE id = %s", (hall_id,))


_VENUE = """
    SELECT id, name, address, city, version,
           array(SELECT to_jsonb(halls) FROM event_service.halls
                  WHERE venue_id = venues.id AND deleted_at IS NULL ORDER BY name, id) AS halls
      FROM event_service.venues
     WHERE id = %s AND deleted_at IS NULL
"""


def _detail(found: Row | None) -> VenueDetailAnswer:
    if found is None:
        raise NotFound()
    return VenueDetailAnswer.model_validate(found)


# Both locks keep an event from being made there meanwhile, which takes them shared (`EventStore.create`).


def _locked_venue(connection: Connection, venue_id: UUID) -> Row:
    found = connection.execute(
        """
        SELECT id, name, address, city, version FROM event_service.venues
         WHERE id = %s AND deleted_at IS NULL FOR UPDATE
        """,
        (venue_id,),
    ).fetchone()
    if found is None:
        raise NotFound()
    return found


def _locked_hall(connection: Connection, venue_id: UUID, hall_id: UUID) -> Row:
    found = connection.execute(
        "SELECT * FROM event_service.halls WHERE id = %s AND venue_id = %s AND deleted_at IS NULL FOR UPDATE",
        (hall_id, venue_id),
    ).fetchone()
    if found is None:
        raise NotFound()
    return found


def _refuse_in_use(
    connection: Connection, problem: type[DomainError], now: datetime, venue_id: UUID, hall_id: UUID | None = None
) -> None:
    """Raises `problem` while an event in the venue, or in its one hall, is neither over nor cancelled nor deleted."""
    using = connection.execute(
        """
        SELECT 1 FROM event_service.events
         WHERE venue_id = %(venue)s AND (%(hall)s::uuid IS NULL OR hall_id = %(hall)s)
           AND deleted_at IS NULL AND cancelled_at IS NULL AND ends_at > %(now)s
         LIMIT 1
        """,
        {"venue": venue_id, "hall": hall_id, "now": now},
    ).fetchone()
    if using is not None:
        raise problem()
