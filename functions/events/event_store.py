"""Events in Postgres, each made together with all of its seats."""

import json
import re
from typing import Any
from uuid import UUID

from common.clock import Clock
from common.page import Page
from common.postgres import Connection, Database, Row
from common.problem import NOT_FOUND
from common.sale_terms import SaleTermsAnswer
from functions.events.event_answer import EventAnswer, EventDetailAnswer
from functions.events.event_proposal import EventProposal
from functions.events.event_search import EventSearch
from functions.events.seat_template import SeatTemplate
from functions.events.venue_answer import HallSummary, VenueSummary

# The one definition of an event's status (EVT-007), for showing it and for searching by it alike.
_STATUS = """
    CASE WHEN e.cancelled_at IS NOT NULL THEN 'CANCELLED'
         WHEN %(now)s < e.sale_starts_at THEN 'UPCOMING'
         WHEN %(now)s < e.ends_at THEN 'ONGOING'
         ELSE 'ENDED' END
"""

_COLUMNS = f"""
    e.id, e.title, e.artist, e.description, {_STATUS} AS status,
    e.venue_id, v.name AS venue_name, v.address, v.city, e.hall_id, h.name AS hall_name, h.capacity,
    e.starts_at, e.ends_at, e.sale_starts_at, e.sale_ends_at,
    e.prices, e.admission_per_second, e.queue_capacity, e.max_seats, e.seat_count
"""

_EVENTS = """
    event_service.events e
    JOIN event_service.venues v ON v.id = e.venue_id
    JOIN event_service.halls h ON h.id = e.hall_id
"""

_MATCHING = f"""
    (%(status)s::text IS NULL OR {_STATUS} = %(status)s)
    AND (%(city)s::text IS NULL OR v.city = %(city)s)
    AND (%(words)s::text IS NULL OR e.title ILIKE %(words)s OR e.artist ILIKE %(words)s)
    AND (%(starts_from)s::timestamptz IS NULL OR e.starts_at >= %(starts_from)s)
    AND (%(starts_before)s::timestamptz IS NULL OR e.starts_at < %(starts_before)s)
"""

_ORDER = {  # ids make every order total, so that no event is on two pages or on none
    "startsAt": "e.starts_at, e.id",
    "-startsAt": "e.starts_at DESC, e.id DESC",
    "saleStartsAt": "e.sale_starts_at, e.id",
    "title": "e.title, e.id",
}

# Statements below are put together from the constants above; every value is a parameter.
_BY_ID = f"SELECT {_COLUMNS} FROM {_EVENTS} WHERE e.id = %(id)s"
_COUNT = f"SELECT count(*) AS total FROM {_EVENTS} WHERE {_MATCHING}"
_PAGES = {
    sort: f"SELECT {_COLUMNS} FROM {_EVENTS} WHERE {_MATCHING} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s"
    for sort, order in _ORDER.items()
}
_DETAIL = f"""
    SELECT {_COLUMNS},
           (SELECT jsonb_object_agg(grade, seats)
              FROM (SELECT grade, count(*) AS seats FROM event_service.seats
                     WHERE event_id = e.id AND status = 'AVAILABLE' GROUP BY grade) left_over) AS remaining
      FROM {_EVENTS}
     WHERE e.id = %(id)s
"""


class EventStore:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, event_id: UUID, proposal: EventProposal) -> EventAnswer:
        """The event and every seat of its hall, or nothing (EVT-001, EVT-019).

        Refuses NOT_FOUND unless the hall is there and the venue's own; VALIDATION_ERROR as `EventProposal.check`.
        """
        with self._database.transaction() as connection:
            hall = connection.execute(
                # Shared lock: the template must not change between the check and the making of the seats.
                "SELECT seat_template FROM event_service.halls WHERE id = %s AND venue_id = %s FOR SHARE",
                (proposal.hall_id, proposal.venue_id),
            ).fetchone()
            if hall is None:
                raise NOT_FOUND.refusal()
            template = SeatTemplate.model_validate(hall["seat_template"])
            proposal.check(template)
            _insert_event(connection, event_id, proposal, template.capacity)
            _insert_seats(connection, event_id)
            made = connection.execute(_BY_ID, {"id": event_id, "now": self._clock()}).fetchone()
        return EventAnswer.model_validate(made)

    def page(self, search: EventSearch) -> Page[EventAnswer]:
        parameters = {
            "now": self._clock(),
            "status": search.status,
            "city": search.city,
            "words": None if search.q is None else f"%{_escaped(search.q)}%",
            "starts_from": search.starts_from,
            "starts_before": search.starts_before,
            "limit": search.size,
            "offset": search.offset,
        }
        total = self._database.rows(_COUNT, parameters)[0]["total"]
        items = [EventAnswer.model_validate(row) for row in self._database.rows(_PAGES[search.sort], parameters)]
        return Page[EventAnswer](items=items, page=search.page, size=search.size, total=total)

    def event(self, event_id: UUID) -> EventDetailAnswer:
        """The event with where it is and what is left of each grade, in one round trip (EVT-005). Refuses NOT_FOUND."""
        row = self._row(_DETAIL, {"id": event_id, "now": self._clock()})
        return EventDetailAnswer.model_validate(
            {
                **row,
                "venue": VenueSummary(
                    id=row["venue_id"], name=row["venue_name"], address=row["address"], city=row["city"]
                ),
                "hall": HallSummary(id=row["hall_id"], name=row["hall_name"], capacity=row["capacity"]),
                "remaining": dict.fromkeys(row["prices"], 0) | (row["remaining"] or {}),
            }
        )

    def sale_terms(self, event_id: UUID) -> SaleTermsAnswer:
        """What the waiting room goes by. A cancelled event's sale is over since then. Refuses NOT_FOUND."""
        return SaleTermsAnswer.model_validate(
            self._row(
                """
                SELECT id AS event_id, queue_capacity, admission_per_second,
                       -- LEAST passes over NULL: without a cancellation these are the sale's own times.
                       LEAST(sale_starts_at, cancelled_at) AS sale_starts_at,
                       LEAST(sale_ends_at, cancelled_at) AS sale_ends_at,
                       -- Asked for in the index's order: NOT EXISTS would scan every seat of a sold-out event.
                       (SELECT grade FROM event_service.seats
                         WHERE event_id = events.id AND status = 'AVAILABLE'
                         ORDER BY grade LIMIT 1) IS NULL AS sold_out
                  FROM event_service.events
                 WHERE id = %(id)s
                """,
                {"id": event_id},
            )
        )

    def _row(self, statement: str, parameters: dict[str, Any]) -> Row:
        row = self._database.row(statement, parameters)
        if row is None:
            raise NOT_FOUND.refusal()
        return row


def _escaped(words: str) -> str:
    """`words` with ILIKE's wildcards taken literally."""
    return re.sub(r"([\\%_])", r"\\\1", words)


def _insert_event(connection: Connection, event_id: UUID, proposal: EventProposal, seat_count: int) -> None:
    connection.execute(
        """
        INSERT INTO event_service.events
               (id, title, artist, description, venue_id, hall_id, starts_at, ends_at, sale_starts_at, sale_ends_at,
                prices, admission_per_second, queue_capacity, max_seats, seat_count)
        VALUES (%(id)s, %(title)s, %(artist)s, %(description)s, %(venue_id)s, %(hall_id)s, %(starts_at)s, %(ends_at)s,
                %(sale_starts_at)s, %(sale_ends_at)s, %(prices)s, %(admission_per_second)s, %(queue_capacity)s,
                %(max_seats)s, %(seat_count)s)
        """,
        {**dict(proposal), "id": event_id, "prices": json.dumps(proposal.prices), "seat_count": seat_count},
    )


def _insert_seats(connection: Connection, event_id: UUID) -> None:
    """All seats in one statement, made where they are kept: about a second for 50,000, whatever the function's CPU."""
    connection.execute(
        """
        INSERT INTO event_service.seats (id, event_id, number, position, grade, price)
        SELECT uuidv7(), e.id, (section ->> 'name') || '-' || row || '-' || seat,
               row_number() OVER (ORDER BY place, row, seat), section ->> 'grade',
               (e.prices ->> (section ->> 'grade'))::int
          FROM event_service.events e
          JOIN event_service.halls h ON h.id = e.hall_id
         CROSS JOIN jsonb_array_elements(h.seat_template -> 'sections') WITH ORDINALITY AS sections (section, place)
         CROSS JOIN generate_series(1, (section ->> 'rows')::int) AS row
         CROSS JOIN generate_series(1, (section ->> 'seatsPerRow')::int) AS seat
         WHERE e.id = %s
        """,
        (event_id,),
    )
