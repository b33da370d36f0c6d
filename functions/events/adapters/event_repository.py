"""Events in Postgres, each written together with all of its seats."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from common.domain.clock import Clock
from common.domain.ids import EventId, HallId, VenueId
from common.domain.shared_errors import NotFound
from common.stores.postgres import Connection, Database, Row
from functions.events.domain.event import Cancellation, Event, EventDetail, EventPage, ListHorizon, SaleTerms
from functions.events.domain.event_edit import StoredEvent
from functions.events.domain.event_proposal import EventProposal
from functions.events.domain.event_search import EventSearch
from functions.events.domain.freshness import AROUND_AFTER, AROUND_BEFORE
from functions.events.domain.seat_template import SeatTemplate, in_grade_order
from functions.events.domain.venue import HallSummary, Venue

# The only definition of an event's status (EVT-007): it follows from the time, so no job updates it.
_STATUS = """
    CASE WHEN e.cancelled_at IS NOT NULL THEN 'CANCELLED'
         WHEN %(now)s < e.sale_starts_at THEN 'UPCOMING'
         WHEN %(now)s < e.ends_at THEN 'ONGOING'
         ELSE 'ENDED' END
"""

# The same as conditions on indexed columns, for searches; a sale starts before its show ends.
_OF_STATUS = {
    None: "true",
    "CANCELLED": "e.cancelled_at IS NOT NULL",
    "UPCOMING": "e.cancelled_at IS NULL AND e.sale_starts_at > %(now)s",
    "ONGOING": "e.cancelled_at IS NULL AND e.sale_starts_at <= %(now)s AND e.ends_at > %(now)s",
    "ENDED": "e.cancelled_at IS NULL AND e.ends_at <= %(now)s",
}

_COLUMNS = f"""
    e.id, e.title, e.artist, e.description, {_STATUS} AS status,
    e.venue_id, v.name AS venue_name, v.address, v.city, e.hall_id, h.name AS hall_name, h.capacity,
    e.starts_at, e.ends_at, e.sale_starts_at, e.sale_ends_at,
    e.prices, e.admission_per_second, e.queue_capacity, e.max_seats, e.max_seats_per,
    e.seat_count, e.version
"""

_EVENTS = """
    event_service.events e
    JOIN event_service.venues v ON v.id = e.venue_id
    JOIN event_service.halls h ON h.id = e.hall_id
"""

# Postgres removes unused conditions when it plans, since it sees the parameters' values: no statement is prepared.
_MATCHING = """
    e.deleted_at IS NULL
    AND (%(city)s::text IS NULL OR v.city = %(city)s)
    AND (%(starts_from)s::timestamptz IS NULL OR e.starts_at >= %(starts_from)s)
    AND (%(starts_before)s::timestamptz IS NULL OR e.starts_at < %(starts_before)s)
"""

# A word of a search: a part of title or artist, found through an index of letters and pairs of letters and verified by
# the pattern; or, if it is English, any form of one of their words.
_PART = "(e.grams @> event_service.grams(%({name})s) AND e.title || ' ' || e.artist ILIKE %({name}_pattern)s)"
_FORM = "e.stems @@ plainto_tsquery('english', %({name})s)"

_ORDER = {  # ids make every order total, so that each event is on exactly one page
    "startsAt": "e.starts_at, e.id",
    "-startsAt": "e.starts_at DESC, e.id DESC",
    "saleStartsAt": "e.sale_starts_at, e.id",
    "title": "e.title, e.id",
}

# The statements below are built from the constants above; every value is a parameter.
_BY_ID = f"SELECT {_COLUMNS} FROM {_EVENTS} WHERE e.id = %(id)s AND e.deleted_at IS NULL"
_DETAIL = f"""
    SELECT {_COLUMNS},
           (SELECT jsonb_object_agg(grade, seats)
              FROM (SELECT grade, count(*) AS seats FROM event_service.seats
                     WHERE event_id = e.id AND status = 'AVAILABLE' GROUP BY grade) left_over) AS remaining
      FROM {_EVENTS}
     WHERE e.id = %(id)s AND e.deleted_at IS NULL
"""


class EventRepository:
    """Methods with a `connection` run in the caller's transaction.

    `reader` may be a replica that lags behind `database`: lists and details are read from it (EVT-022).
    """

    def __init__(self, database: Database, clock: Clock, reader: Database | None = None) -> None:
        self._database = database
        self._reader = reader or database
        self._clock = clock

    # -- writing ------------------------------------------------------------------------------------------------

    def lock(self, connection: Connection, event_id: EventId) -> StoredEvent:
        """The event, locked until the transaction ends. Raises NotFound."""
        row = _found(
            connection.execute(
                "SELECT * FROM event_service.events WHERE id = %s AND deleted_at IS NULL FOR UPDATE", (event_id,)
            ).fetchone()
        )
        return StoredEvent(
            # Not validated: an edit must not fail because bounds have become narrower since the event was created.
            proposal=EventProposal.model_construct(**{name: row[name] for name in EventProposal.model_fields}),
            version=row["version"],
            seat_template=SeatTemplate.model_validate(row["seat_template"]),
            cancelled=row["cancelled_at"] is not None,
        )

    def lock_hall(self, connection: Connection, venue_id: VenueId, hall_id: HallId) -> SeatTemplate:
        """The seat template of the venue's hall, which cannot change until the transaction ends. Raises NotFound."""
        _found(
            connection.execute(
                "SELECT id FROM event_service.venues WHERE id = %s AND deleted_at IS NULL FOR SHARE", (venue_id,)
            ).fetchone()
        )
        hall = _found(
            connection.execute(
                """
                SELECT seat_template FROM event_service.halls
                 WHERE id = %s AND venue_id = %s AND deleted_at IS NULL FOR SHARE
                """,
                (hall_id, venue_id),
            ).fetchone()
        )
        return SeatTemplate.model_validate(hall["seat_template"])

    def insert(
        self, connection: Connection, event_id: EventId, proposal: EventProposal, template: SeatTemplate
    ) -> None:
        """The event and every seat of `template` (EVT-019)."""
        connection.execute(
            """
            INSERT INTO event_service.events
                   (id, title, artist, description, venue_id, hall_id, starts_at, ends_at, sale_starts_at,
                    sale_ends_at, prices, admission_per_second, queue_capacity, max_seats, max_seats_per,
                    seat_template, seat_count)
            VALUES (%(id)s, %(title)s, %(artist)s, %(description)s, %(venue_id)s, %(hall_id)s, %(starts_at)s,
                    %(ends_at)s, %(sale_starts_at)s, %(sale_ends_at)s, %(prices)s, %(admission_per_second)s,
                    %(queue_capacity)s, %(max_seats)s, %(max_seats_per)s, %(seat_template)s, %(seat_count)s)
            """,
            {"id": event_id, **_columns(proposal, template)},
        )
        _insert_seats(connection, event_id)

    def update(
        self,
        connection: Connection,
        event_id: EventId,
        proposal: EventProposal,
        template: SeatTemplate,
        *,
        new_layout: bool,
    ) -> None:
        """`new_layout` counts up the version of the seat layout."""
        connection.execute(
            """
            UPDATE event_service.events
               SET title = %(title)s, artist = %(artist)s, description = %(description)s,
                   venue_id = %(venue_id)s, hall_id = %(hall_id)s, starts_at = %(starts_at)s, ends_at = %(ends_at)s,
                   sale_starts_at = %(sale_starts_at)s, sale_ends_at = %(sale_ends_at)s, prices = %(prices)s,
                   admission_per_second = %(admission_per_second)s, queue_capacity = %(queue_capacity)s,
                   max_seats = %(max_seats)s, max_seats_per = %(max_seats_per)s,
                   seat_template = %(seat_template)s, seat_count = %(seat_count)s,
                   version = version + 1, layout_version = layout_version + %(new_layout)s::int
             WHERE id = %(id)s
            """,
            {"id": event_id, "new_layout": new_layout, **_columns(proposal, template)},
        )

    def replace_seats(self, connection: Connection, event_id: EventId) -> None:
        """New seats, from the event's seat template."""
        connection.execute("DELETE FROM event_service.seats WHERE event_id = %s", (event_id,))
        _insert_seats(connection, event_id)

    def reprice_seats(self, connection: Connection, event_id: EventId) -> None:
        """The seats at the event's prices."""
        connection.execute(
            """
            UPDATE event_service.seats SET price = (e.prices ->> seats.grade)::int
              FROM event_service.events e
             WHERE e.id = %s AND seats.event_id = e.id
            """,
            (event_id,),
        )

    def mark_cancelled(self, connection: Connection, event_id: EventId, at: datetime, reason: str) -> None:
        connection.execute(
            """
            UPDATE event_service.events SET cancelled_at = %s, cancel_reason = %s, version = version + 1
             WHERE id = %s
            """,
            (at, reason, event_id),
        )

    def mark_deleted(self, connection: Connection, event_id: EventId, at: datetime) -> None:
        connection.execute(
            "UPDATE event_service.events SET deleted_at = %s, version = version + 1 WHERE id = %s", (at, event_id)
        )

    def read(self, connection: Connection, event_id: EventId) -> Event:
        """The event as this transaction has left it. Raises NotFound."""
        row = _found(connection.execute(_BY_ID, {"id": event_id, "now": self._clock()}).fetchone())
        return Event(**_event_fields(row))

    # -- reading ------------------------------------------------------------------------------------------------

    def page(self, search: EventSearch, *, recent: bool = False) -> EventPage:
        """A page of events, in two round trips. `recent` reads from the writer, so it includes the latest changes."""
        reader = self._database if recent else self._reader
        statement, parameters = listing(search, self._clock())
        found = reader.rows(*counting(search, self._clock()))[0]
        items = [Event(**_event_fields(row)) for row in reader.rows(statement, parameters)]
        changes_at = [at for at in (found["next_start"], found["next_end"]) if at is not None]
        return EventPage(items, found["total"], ListHorizon(min(changes_at, default=None), found["around_sale"]))

    def event(self, event_id: EventId, *, recent: bool = False) -> EventDetail:
        """The event with its venue, its hall and the seats left of each grade, in one round trip (EVT-005).
        Raises NotFound."""
        reader = self._database if recent else self._reader
        row = _found(reader.row(_DETAIL, {"id": event_id, "now": self._clock()}))
        return EventDetail(
            **_event_fields(row),
            venue=Venue(id=VenueId(row["venue_id"]), name=row["venue_name"], address=row["address"], city=row["city"]),
            hall=HallSummary(id=HallId(row["hall_id"]), name=row["hall_name"], capacity=row["capacity"]),
            remaining=in_grade_order(dict.fromkeys(row["prices"], 0) | (row["remaining"] or {})),
        )

    def cancellation(self, event_id: EventId) -> Cancellation:
        """Raises NotFound, also for an event that is not cancelled."""
        row = _found(
            self._database.row(
                """
                SELECT cancelled_at, cancel_reason FROM event_service.events
                 WHERE id = %s AND cancelled_at IS NOT NULL
                """,
                (event_id,),
            )
        )
        return Cancellation(row["cancelled_at"], row["cancel_reason"] or "")

    def on_sale(self) -> list[EventId]:
        """Events whose seats can change: the sale has started, and the show ended less than a day ago."""
        now = self._clock()
        rows = self._database.rows(
            """
            SELECT id FROM event_service.events
             WHERE deleted_at IS NULL AND sale_starts_at <= %s AND ends_at > %s ORDER BY id
            """,
            (now, now - timedelta(days=1)),
        )
        return [EventId(row["id"]) for row in rows]

    def sale_terms(self, event_id: EventId) -> SaleTerms:
        """Raises NotFound."""
        row = _found(
            self._database.row(
                """
                SELECT queue_capacity, admission_per_second,
                       -- LEAST ignores NULL: without a cancellation these are the sale's own times.
                       LEAST(sale_starts_at, cancelled_at) AS sale_starts_at,
                       LEAST(sale_ends_at, cancelled_at) AS sale_ends_at,
                       seats_left, seats_left = 0 AS sold_out
                  FROM event_service.events
                 CROSS JOIN LATERAL (SELECT count(*) AS seats_left FROM event_service.seats
                                      WHERE event_id = events.id AND status = 'AVAILABLE') counted
                 WHERE id = %(id)s AND deleted_at IS NULL
                """,
                {"id": event_id},
            )
        )
        return SaleTerms(event_id=event_id, **row)


def listing(search: EventSearch, now: datetime) -> tuple[str, Mapping[str, Any]]:
    """The statement of one page, and its parameters."""
    where, parameters = _where(search, now)
    order = _ORDER[search.sort]
    statement = f"SELECT {_COLUMNS} FROM {_EVENTS} WHERE {where} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s"
    return statement, {**parameters, "limit": search.size, "offset": search.page * search.size}


def counting(search: EventSearch, now: datetime) -> tuple[str, Mapping[str, Any]]:
    """The statement that counts all pages' events and finds the next change of any status, and its parameters."""
    where, parameters = _where(search, now)
    statement = f"""
        SELECT (SELECT count(*) FROM {_EVENTS} WHERE {where}) AS total,
               (SELECT min(sale_starts_at) FROM event_service.events
                 WHERE deleted_at IS NULL AND sale_starts_at > %(now)s) AS next_start,
               (SELECT min(ends_at) FROM event_service.events
                 WHERE deleted_at IS NULL AND ends_at > %(now)s) AS next_end,
               EXISTS (SELECT FROM event_service.events
                        WHERE deleted_at IS NULL AND sale_starts_at BETWEEN %(around_from)s AND %(around_to)s)
               AS around_sale
    """
    return statement, {**parameters, "around_from": now - AROUND_AFTER, "around_to": now + AROUND_BEFORE}


def _where(search: EventSearch, now: datetime) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {
        "now": now,
        "city": search.city,
        "starts_from": search.starts_from,
        "starts_before": search.starts_before,
    }
    conditions = [_MATCHING, _OF_STATUS[search.status]]
    for number, word in enumerate((search.q or "").split()):
        name = f"word{number}"
        parameters |= {name: word, f"{name}_pattern": f"%{_escaped(word)}%"}
        ways = [_PART, _FORM] if word.isascii() and word.isalpha() else [_PART]
        conditions.append(f"({' OR '.join(ways)})".format(name=name))
    return " AND ".join(conditions), parameters


def _escaped(word: str) -> str:
    """`word` with ILIKE's wildcards escaped."""
    return re.sub(r"([\\%_])", r"\\\1", word)


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound()
    return row


_EVENT_FIELDS = [field.name for field in fields(Event)]


def _event_fields(row: Row) -> dict[str, Any]:
    """What `Event` takes of a row of `_COLUMNS`."""
    return {**{name: row[name] for name in _EVENT_FIELDS}, "prices": in_grade_order(row["prices"])}


def _columns(proposal: EventProposal, template: SeatTemplate) -> dict[str, Any]:
    return {
        **dict(proposal),
        "prices": json.dumps(proposal.prices),
        "seat_template": json.dumps(template.to_dict()),
        "seat_count": template.capacity,
    }


def _insert_seats(connection: Connection, event_id: EventId) -> None:
    """All seats in one statement that runs in Postgres: about a second for 50,000, with any CPU of the function.

    Their ids count up from one UUIDv7 (RFC 9562, 6.2, method 1), which makes the layout of a large hall ten times
    smaller.
    """
    connection.execute(
        """
        WITH drawn AS MATERIALIZED (SELECT left(replace(uuidv7()::text, '-', ''), 26) AS base)
        INSERT INTO event_service.seats (id, event_id, number, position, grade, price)
        SELECT (base || lpad(to_hex(position), 6, '0'))::uuid, event_id, number, position, grade, price
          FROM (SELECT e.id AS event_id, (section ->> 'name') || '-' || row || '-' || seat AS number,
                       row_number() OVER (ORDER BY place, row, seat) AS position, section ->> 'grade' AS grade,
                       (e.prices ->> (section ->> 'grade'))::int AS price
                  FROM event_service.events e
                 CROSS JOIN jsonb_array_elements(e.seat_template -> 'sections')
                       WITH ORDINALITY AS sections (section, place)
                 CROSS JOIN generate_series(1, (section ->> 'rows')::int) AS row
                 CROSS JOIN generate_series(1, (section ->> 'seatsPerRow')::int) AS seat
                 WHERE e.id = %s) made
         CROSS JOIN drawn
        """,
        (event_id,),
    )
