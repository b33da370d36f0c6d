"""The seed gives a new stack an event on sale, and an old stack too."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventRepository
from local.seed.event import EVENT_ID, seed_event

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)


def test_seeding_twice_creates_one_event_on_sale(database_of: Callable[[str], Database]) -> None:
    database = database_of("event_service")
    seed_event(database, NOW)
    seed_event(database, NOW + timedelta(days=1))

    event = EventRepository(database, lambda: NOW).event(EVENT_ID)
    assert (event.status, event.seat_count) == ("ONGOING", 200)
    assert event.sale_starts_at == NOW - timedelta(hours=1)
    assert database.rows("SELECT count(*) FROM event_service.events, event_service.venues, event_service.halls") == [
        {"count": 1}
    ]


def test_an_event_whose_sale_is_over_is_put_on_sale_again(database_of: Callable[[str], Database]) -> None:
    database = database_of("event_service")
    seed_event(database, NOW)
    later = NOW + timedelta(days=365)
    seed_event(database, later)

    event = EventRepository(database, lambda: later).event(EVENT_ID)
    assert event.sale_starts_at < later < event.sale_ends_at
    assert event.status == "ONGOING"
