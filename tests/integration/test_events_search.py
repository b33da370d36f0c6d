"""Lists and searches in Postgres: what they find in Korean and English, and which index they use (EVT-018, EVT-025)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from common.stores.postgres import Database
from functions.events.adapters.event_repository import counting, listing
from functions.events.domain.event_search import EventSearch
from tools.simulation.events_service import EVENT_STARTS, SALE_STARTS, EventsService


@pytest.fixture
def service(database_of: Callable[[str], Database]) -> EventsService:
    return EventsService(database_of("event_service"))


@pytest.fixture
def named(service: EventsService) -> EventsService:
    venue_id = service.venue()
    hall_id = service.hall(venue_id)
    for title, artist in [
        ("겨울밤의 콘서트", "한강 필하모닉"),
        ("봄밤의 음악회", "서울 앙상블"),
        ("Spring Concerts", "The Runners"),
        ("BTS 월드투어", "방탄소년단"),
        ("Jazz_Live 100%", "Trio \\ Seoul"),
    ]:
        service.event(title=title, artist=artist, venue_id=venue_id, hall_id=hall_id)
    return service


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("콘서트", ["겨울밤의 콘서트"]),
        ("밤의", ["겨울밤의 콘서트", "봄밤의 음악회"]),
        ("봄", ["봄밤의 음악회"]),
        ("필하모닉 겨울", ["겨울밤의 콘서트"]),
        ("겨울밤의콘서트", []),
        ("봄밤 콘서트", []),
        ("concert", ["Spring Concerts"]),
        ("CONCERTING springs", ["Spring Concerts"]),
        ("run", ["Spring Concerts"]),
        ("springing", ["Spring Concerts"]),
        ("bts 투어", ["BTS 월드투어"]),
        ("방탄", ["BTS 월드투어"]),
        ("z_l", ["Jazz_Live 100%"]),
        ("Jazz Live", ["Jazz_Live 100%"]),
        ("JazzxLive", []),
        ("%", ["Jazz_Live 100%"]),
        ("\\", ["Jazz_Live 100%"]),
        ("the", ["Spring Concerts"]),
        ("  ", ["BTS 월드투어", "Jazz_Live 100%", "Spring Concerts", "겨울밤의 콘서트", "봄밤의 음악회"]),
        ("' OR 1=1 --", []),
        ("{}", []),
        ("%s", []),
    ],
)
def test_words_are_found_as_parts_and_in_english_in_any_form(named: EventsService, q: str, found: list[str]) -> None:
    assert named.titles(q=q, sort="title") == found
    assert named.page(q=q).total == len(found)


def test_pages_are_stable_when_times_and_titles_are_the_same(service: EventsService) -> None:
    venue_id = service.venue()
    hall_id = service.hall(venue_id)
    for _ in range(23):
        service.event(venue_id=venue_id, hall_id=hall_id)
    for sort in ("startsAt", "-startsAt", "saleStartsAt", "title"):
        for _ in range(2):
            seen = [event.id for page in range(5) for event in service.page(page=page, size=5, sort=sort).items]
            assert len(seen) == len(set(seen)) == 23


# -- plans ------------------------------------------------------------------------------------------------------------

WORDS = ["겨울", "봄밤", "여름", "가을", "콘서트", "음악회", "독주회", "spring", "night", "tour", "live", "festival"]


@pytest.fixture
def many_events(superuser: Database, service: EventsService) -> EventsService:
    """Five thousand events over ten years in two hundred cities, one of them with a unique name."""
    venue_id = service.venue()
    event_id = service.event(venue_id=venue_id, title="희귀한 Unicorn").id
    with superuser.transaction() as connection:
        connection.execute(
            """
            INSERT INTO event_service.venues (id, name, address, city)
            SELECT uuidv7(), 'Venue ' || n, 'Street', 'City ' || n FROM generate_series(1, 200) n
            """
        )
        connection.execute(
            """
            INSERT INTO event_service.halls (id, venue_id, name, seat_template, capacity)
            SELECT uuidv7(), id, 'Hall', '{"sections": []}', 1 FROM event_service.venues WHERE name LIKE 'Venue %'
            """
        )
        connection.execute(
            """
            INSERT INTO event_service.events
                   (id, title, artist, venue_id, hall_id, starts_at, ends_at, sale_starts_at, sale_ends_at, prices,
                    seat_template, seat_count)
            SELECT uuidv7(), words[1 + n %% 12] || ' ' || words[1 + (n / 12) %% 12] || ' ' || n, 'Artist ' || n %% 997,
                   halls.venue_id, halls.id, at, at + interval '2 hours', at - interval '30 days', at, '{}', '{}', 1
              FROM generate_series(1, 5000) n
              JOIN (SELECT id, venue_id, row_number() OVER (ORDER BY id) AS place FROM event_service.halls
                     WHERE name = 'Hall') halls ON halls.place = 1 + n %% 200
             CROSS JOIN LATERAL (SELECT %(around)s::timestamptz + (n - 2500) * interval '12 hours' AS at,
                                        %(words)s::text[] AS words) made
            """,
            {"around": EVENT_STARTS, "words": WORDS},
        )
    for table in ("events", "venues", "halls"):
        with superuser.transaction() as connection:
            connection.execute(f"ANALYZE event_service.{table}")
    assert event_id
    return service


def plan(service: EventsService, statement: str, parameters: Any) -> tuple[set[str], str]:
    """The indexes a statement uses, with a mark for a scan of all events; and the plan as text."""
    (row,) = service.database.rows(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    (explained,) = row["QUERY PLAN"]
    indexes: set[str] = set()

    def walk(node: dict[str, Any]) -> None:
        if "Index Name" in node:
            indexes.add(node["Index Name"])
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "events":
            indexes.add("(all of events)")
        for child in node.get("Plans", []):
            walk(child)

    walk(explained["Plan"])
    return indexes, str(explained)


PAGES: list[tuple[dict[str, Any], str]] = [
    ({}, "events_starts"),
    ({"sort": "-startsAt"}, "events_starts"),
    ({"sort": "saleStartsAt"}, "events_sale_starts"),
    ({"sort": "title"}, "events_title"),
    ({"from": EVENT_STARTS, "to": EVENT_STARTS + timedelta(days=2)}, "events_starts"),
    ({"status": "UPCOMING", "sort": "saleStartsAt"}, "events_sale_starts"),
    ({"status": "ONGOING"}, "events_starts"),
    ({"city": "City 7"}, "events_hall"),
    ({"q": "희귀한"}, "events_grams"),
    ({"q": "희귀"}, "events_grams"),
    ({"q": "unicorn"}, "events_grams"),
    ({"q": "unicorns"}, "events_stems"),
]
COUNTS: list[tuple[dict[str, Any], str]] = [
    ({"q": "희귀"}, "events_grams"),
    ({"city": "City 7"}, "events_hall"),
    ({"from": EVENT_STARTS, "to": EVENT_STARTS + timedelta(days=2)}, "events_starts"),
]


def test_every_search_uses_an_index_for_its_page_and_its_total(many_events: EventsService) -> None:
    for search, index in PAGES:
        indexes, plan_text = plan(many_events, *listing(EventSearch.model_validate(search), SALE_STARTS))
        assert index in indexes, (search, plan_text)
        assert "(all of events)" not in indexes, (search, plan_text)
    for search, index in COUNTS:
        indexes, plan_text = plan(many_events, *counting(EventSearch.model_validate(search), SALE_STARTS))
        assert {index, "events_sale_starts", "events_ends"} <= indexes, (search, plan_text)
        assert "(all of events)" not in indexes, (search, plan_text)


def test_a_search_in_five_thousand_events_finds_the_one(many_events: EventsService) -> None:
    assert many_events.titles(q="희귀한 unicorns") == ["희귀한 Unicorn"]
    assert many_events.page(city="City 7").total == 25
