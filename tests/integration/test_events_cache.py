"""Responses cached in a real Redis: loaded once, and never older than the last change in Postgres."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from common.domain.clock import new_id
from common.domain.ids import EventId, ReservationId, UserId
from common.domain.shared_errors import DomainError, NotFound
from common.messaging.messages import ReservationConfirmed, envelope
from common.stores.postgres import Database, Parameters, Row
from common.stores.redis import Client, connect
from functions.events.adapters.read_cache_redis import LIST_KEY, CachedResponse, LoadResult, ReadCache, event_key
from functions.events.domain.entity_tag import ANY_VERSION
from functions.events.domain.event import EventDetail
from functions.events.domain.event_edit import EventEdit
from functions.events.domain.event_search import EventSearch
from functions.events.domain.freshness import freshness
from functions.events.handlers.responses.event_response import EventDetailResponse
from tests.support.concurrently import concurrently
from tools.simulation.events_service import EVENT_ENDS, SALE_STARTS, EventsService, seat_messages

SECOND = timedelta(seconds=1)


class CountedDatabase(Database):
    """Counts its queries."""

    queries = 0

    def rows(self, sql: str, parameters: Parameters = None) -> list[Row]:
        type(self).queries += 1
        return super().rows(sql, parameters)


@pytest.fixture
def connected(redis: Client, redis_url: str) -> Iterator[Callable[[], Client]]:
    """New connections to the empty Redis, one for each execution environment."""
    clients: list[Client] = []

    def new() -> Client:
        clients.append(connect(redis_url, cluster=False))
        return clients[-1]

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def new_service(
    database_of: Callable[[str], Database], connected: Callable[[], Client]
) -> Iterator[Callable[[], EventsService]]:
    """Builds execution environments of the service, each with its own connections and clock."""
    closing: list[Database] = []

    def new() -> EventsService:
        plain = database_of("event_service")
        database = CountedDatabase(plain._conninfo)
        closing.append(database)
        client = connected()
        service = EventsService(database, ReadCache(lambda: client, lambda: service.now))
        return service

    CountedDatabase.queries = 0
    yield new
    for database in closing:
        database.close()


def edit(**changes: Any) -> EventEdit:
    return EventEdit.model_validate(changes)


def detail(service: EventsService, event_id: Any) -> EventDetailResponse:
    return EventDetailResponse.model_validate_json(service.reads.read_event(event_id).json)


@pytest.mark.parametrize("kind", ["list", "detail", "seats"])
def test_a_cached_response_needs_no_query(new_service: Callable[[], EventsService], kind: str) -> None:
    service, another = new_service(), new_service()
    event_id = service.event().id

    def read(service: EventsService) -> object:
        if kind == "list":
            return service.reads.read_page(EventSearch())
        return service.reads.read_event(event_id) if kind == "detail" else service.seat_list(event_id)

    first = read(service)
    before = CountedDatabase.queries
    assert read(another) == read(service) == first
    assert CountedDatabase.queries == before


def test_two_hundred_concurrent_misses_make_one_query(new_service: Callable[[], EventsService]) -> None:
    event_id = new_service().event().id
    services = [new_service() for _ in range(200)]
    CountedDatabase.queries = 0
    responses = concurrently([partial(each.reads.read_event, event_id) for each in services])
    assert {type(response) for response in responses} == {CachedResponse}
    assert len(set(responses)) == 1
    assert CountedDatabase.queries == 1


def test_a_stale_response_is_served_while_one_request_reloads_it(new_service: Callable[[], EventsService]) -> None:
    loader, reader = new_service(), new_service()
    event_id = loader.event().id
    last = loader.reads.read_event(event_id)
    loader.now = reader.now = SALE_STARTS + timedelta(minutes=1)  # around the sale a response is fresh for a minute
    loading_started, may_finish = threading.Event(), threading.Event()
    load = loader.events.event

    def load_slowly(*arguments: Any, **options: Any) -> EventDetail:
        loading_started.set()
        assert may_finish.wait(10)
        return load(*arguments, **options)

    loader.events.event = load_slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(loader.reads.read_event, event_id)
        assert loading_started.wait(10)
        before = CountedDatabase.queries
        assert reader.reads.read_event(event_id) == last
        assert CountedDatabase.queries == before
        may_finish.set()
        assert loading.result(10) == last


def test_a_response_read_before_a_change_is_not_cached_after_it(new_service: Callable[[], EventsService]) -> None:
    """The known race of cache-aside: read the old state, change it, drop the key, cache the old state."""
    loader, admin, reader = new_service(), new_service(), new_service()
    event_id = loader.event(title="Old").id
    load = loader.events.event

    def load_and_change(*arguments: Any, **options: Any) -> EventDetail:
        old = load(*arguments, **options)
        admin.admin.edit(event_id, edit(title="New"), ANY_VERSION)
        return old

    loader.events.event = load_and_change  # type: ignore[method-assign]
    assert detail(loader, event_id).title == "Old", "the request began before the change"
    assert detail(reader, event_id).title == "New"
    loader.events.event = load  # type: ignore[method-assign]
    assert detail(loader, event_id).title == "New"


def test_a_waiting_request_gets_a_response_read_after_it_began(
    new_service: Callable[[], EventsService],
) -> None:
    """A sale drops an event's key many times a second: a load too slow to be cached still serves waiting requests."""
    first, second, waiting = new_service(), new_service(), new_service()
    event_id = first.event().id
    client, clock = waiting.cache._connect(), first.now
    steps: Iterator[Callable[[], object]]

    def after_each_load(service: EventsService, run: Callable[[], object]) -> None:
        load = service.events.event

        def load_and_run(*arguments: Any, **options: Any) -> EventDetail:
            response = load(*arguments, **options)
            run()
            return response

        service.events.event = load_and_run  # type: ignore[method-assign]

    def read_while_waiting() -> str:
        def sleep(_seconds: float) -> None:
            next(steps)()

        cache = ReadCache(lambda: client, waiting.clock, sleep=sleep)
        return EventsService(waiting.database, cache).reads.read_event(event_id).json

    def change_and_load_again() -> None:
        first.cache.drop(event_key(event_id))
        second.now = clock + SECOND
        before = CountedDatabase.queries
        second.reads.read_event(event_id)
        assert CountedDatabase.queries == before + 1

    steps = iter([change_and_load_again])
    responses: list[str] = []
    after_each_load(first, lambda: responses.append(read_while_waiting()))  # begins while `first` is loading
    after_each_load(second, lambda: second.cache.drop(event_key(event_id)))  # is not cached either
    before = CountedDatabase.queries
    first.reads.read_event(event_id)
    assert CountedDatabase.queries == before + 2, "the waiting request made no query"
    assert len(responses) == 1


def test_concurrent_readers_and_a_writer_leave_the_newest_response_in_the_cache(
    new_service: Callable[[], EventsService],
) -> None:
    admin = new_service()
    event_id = admin.event(title="0").id
    readers = [new_service() for _ in range(7)]
    done = threading.Event()

    def write() -> None:
        for number in range(1, 30):
            admin.admin.edit(event_id, edit(title=str(number)), ANY_VERSION)
            assert detail(admin, event_id).title == str(number), "an admin sees the change at once"
        done.set()

    def read(reader: EventsService) -> None:
        last = 0
        while not done.is_set():
            seen = int(detail(reader, event_id).title)
            assert seen >= last, "a reader never sees an older state later"
            last = seen

    calls: list[Callable[[], None]] = [write, *(partial(read, each) for each in readers)]
    outcomes = concurrently(calls)
    done.set()
    assert outcomes == [None] * 8
    assert detail(readers[0], event_id).title == "29"


def test_every_change_shows_at_once_in_list_detail_and_seats(new_service: Callable[[], EventsService]) -> None:
    admin, reader = new_service(), new_service()
    admin.now = reader.now = SALE_STARTS - timedelta(days=1)

    def current_values() -> tuple[Any, ...]:
        page = reader.reads.read_page(EventSearch()).json
        event = detail(reader, event_id)
        return event.title, event.title in page, event.venue.name, event.venue.name in page, event.status

    event_id = admin.event().id
    venue_id = admin.events.event(event_id).venue_id
    assert current_values() == ("Concert", True, "Arts Centre", True, "UPCOMING")
    admin.admin.edit(event_id, edit(title="Encore", prices={"VIP": 2, "S": 1}), ANY_VERSION)
    admin.venue_admin.edit_venue(venue_id, {"name": "Opera"}, ANY_VERSION)
    assert current_values() == ("Encore", True, "Opera", True, "UPCOMING")
    assert [grade.price for grade in reader.seat_list(event_id).grades] == [2, 1]
    admin.admin.edit(event_id, edit(prices={"VIP": 4, "S": 3}), ANY_VERSION)
    assert [grade.price for grade in reader.seat_list(event_id).grades] == [4, 3]
    admin.admin.cancel(event_id, "storm", UserId(new_id()), ANY_VERSION)
    assert current_values()[-1] == "CANCELLED"
    admin.delete(event_id)
    with pytest.raises(DomainError) as raised:
        reader.reads.read_event(event_id)
    assert type(raised.value) is NotFound


def test_a_sale_from_a_message_shows_at_once(new_service: Callable[[], EventsService]) -> None:
    consumer, reader = new_service(), new_service()
    event_id = consumer.event().id
    seat, *_ = reader.seat_ids(event_id)
    assert detail(reader, event_id).remaining == {"VIP": 2, "S": 6}
    sold = ReservationConfirmed(
        reservation_id=ReservationId(new_id()), event_id=event_id, seat_ids=[seat], confirmed_at=SALE_STARTS
    )
    message = envelope(
        sold, message_id=new_id(), at=SALE_STARTS, correlation_id="t", causation_id=None, user_id=UserId(new_id())
    )
    with consumer.database.transaction() as connection:
        after_commit = seat_messages(consumer.cache).confirmed(connection, message, sold)
    after_commit()
    assert detail(reader, event_id).remaining == {"VIP": 1, "S": 6}
    assert reader.reads.sold_seats(event_id) == [seat]
    assert reader.reads.seat_statuses(event_id).version == 1


@pytest.mark.parametrize(("at", "status"), [(SALE_STARTS, "ONGOING"), (EVENT_ENDS, "ENDED")])
def test_a_status_changes_on_time_despite_the_cache(
    new_service: Callable[[], EventsService], at: Any, status: str
) -> None:
    service = new_service()
    event_id = service.event().id
    service.now = at - SECOND
    assert detail(service, event_id).status != status
    assert service.reads.read_page(EventSearch.model_validate({"status": status})).json.count('"id"') == 0
    service.now = at
    assert detail(service, event_id).status == status
    assert service.reads.read_page(EventSearch.model_validate({"status": status})).json.count(str(event_id)) == 1


def test_reads_work_while_redis_is_unavailable(
    database_of: Callable[[str], Database], new_service: Callable[[], EventsService]
) -> None:
    event_id = new_service().event().id
    unavailable = connect("redis://127.0.0.1:1/0", cluster=False)
    queries = 0

    def connect_to_unavailable_redis() -> Client:
        nonlocal queries
        queries += 1
        return unavailable

    service = EventsService(database_of("event_service"), ReadCache(connect_to_unavailable_redis, lambda: SALE_STARTS))
    assert detail(service, event_id).id == event_id
    assert len(service.seat_ids(event_id)) == 8
    assert '"total":1' in service.reads.read_page(EventSearch()).json
    service.admin.edit(event_id, edit(title="New"), ANY_VERSION)
    assert detail(service, event_id).title == "New"
    assert queries == 1, "after a failure Redis is bypassed for a while"


def test_a_failed_load_releases_its_lease(new_service: Callable[[], EventsService]) -> None:
    service = new_service()
    with pytest.raises(DomainError):
        service.reads.read_event(EventId(new_id()))
    waits: list[float] = []
    cache = ReadCache(service.cache._connect, service.clock, sleep=waits.append)

    def fail(_recent: bool) -> LoadResult:
        raise OSError("unavailable")

    for _ in range(2):
        with pytest.raises(OSError, match="unavailable"):
            cache.get("cache:event:list", "field", fail)
    assert waits == []


def test_the_lease_of_a_crashed_loader_delays_others_until_it_ends(new_service: Callable[[], EventsService]) -> None:
    service = new_service()
    event_id = service.event().id
    redis = service.cache._connect()
    lease = f"{int((service.now + 3 * SECOND).timestamp() * 1000)} another"
    redis.hset(event_key(event_id), "detail:lease", lease)

    def sleep(seconds: float) -> None:
        service.now += timedelta(seconds=seconds)

    cache = ReadCache(lambda: redis, service.clock, sleep=sleep)
    began = service.now
    waiting = EventsService(service.database, cache)
    assert waiting.reads.read_event(event_id).json
    assert 3 * SECOND <= service.now - began <= 3.5 * SECOND


def test_after_a_change_the_replica_is_bypassed(
    new_service: Callable[[], EventsService], database_of: Callable[[str], Database]
) -> None:
    """The replica is the same database, with its queries counted."""

    class Replica(Database):
        queries = 0

        def rows(self, sql: str, parameters: Parameters = None) -> list[Row]:
            type(self).queries += 1
            return super().rows(sql, parameters)

    writer = new_service()
    event_id = writer.event().id
    replica = Replica(database_of("event_service")._conninfo)
    reader = EventsService(writer.database, ReadCache(writer.cache._connect, lambda: reader.now), replica)
    reader.reads.read_event(event_id)
    assert Replica.queries == 1, "a read that may be slightly old uses the replica"
    writer.admin.edit(event_id, edit(title="New"), ANY_VERSION)
    assert detail(reader, event_id).title == "New"
    assert Replica.queries == 1, "a read that must be current uses the writer"
    replica.close()


def test_many_different_searches_use_bounded_memory(new_service: Callable[[], EventsService]) -> None:
    service = new_service()
    loaded = LoadResult(CachedResponse('"1"', "x"), freshness(service.now, around_sale=False))
    for number in range(900):
        service.cache.get(LIST_KEY, f"search {number}", lambda _recent: loaded)
    assert service.cache._connect().hlen(LIST_KEY) <= 2004
