"""What everybody reads, cached in a real Redis over a real Postgres: never older than the last change, once loaded."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from common.domain.clock import new_id
from common.domain.ids import EventId, UserId
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
from tests.concurrently import concurrently
from tools.simulation.events_service import SALE_STARTS, SHOW_ENDS, Programme, seat_messages

SECOND = timedelta(seconds=1)


class CountedDatabase(Database):
    """Counts what is asked of it."""

    asked = 0

    def rows(self, sql: str, parameters: Parameters = None) -> list[Row]:
        type(self).asked += 1
        return super().rows(sql, parameters)


@pytest.fixture
def connected(redis: Client, redis_url: str) -> Iterator[Callable[[], Client]]:
    """New connections to the empty Redis, one for each container."""
    made: list[Client] = []

    def new() -> Client:
        made.append(connect(redis_url, cluster=False))
        return made[-1]

    yield new
    for client in made:
        client.close()


@pytest.fixture
def container(
    database_of: Callable[[str], Database], connected: Callable[[], Client]
) -> Iterator[Callable[[], Programme]]:
    """As many warm containers of the service as called for: connections of their own, one clock."""
    closing: list[Database] = []

    def new() -> Programme:
        plain = database_of("event_service")
        database = CountedDatabase(plain._conninfo)
        closing.append(database)
        client = connected()
        made = Programme(database, ReadCache(lambda: client, lambda: made.now))
        return made

    CountedDatabase.asked = 0
    yield new
    for database in closing:
        database.close()


def edit(**changes: Any) -> EventEdit:
    return EventEdit.model_validate(changes)


def detail(programme: Programme, event_id: Any) -> EventDetailResponse:
    return EventDetailResponse.model_validate_json(programme.reads.read_event(event_id).json)


@pytest.mark.parametrize("what", ["list", "detail", "seats"])
def test_what_was_read_once_is_read_without_a_query(container: Callable[[], Programme], what: str) -> None:
    programme, another = container(), container()
    event_id = programme.event().id

    def read(from_: Programme) -> object:
        if what == "list":
            return from_.reads.read_page(EventSearch())
        return from_.reads.read_event(event_id) if what == "detail" else from_.seat_list(event_id)

    first = read(programme)
    before = CountedDatabase.asked
    assert read(another) == read(programme) == first
    assert CountedDatabase.asked == before


def test_two_hundred_who_miss_at_once_make_one_query(container: Callable[[], Programme]) -> None:
    event_id = container().event().id
    containers = [container() for _ in range(200)]
    CountedDatabase.asked = 0
    answers = concurrently([partial(each.reads.read_event, event_id) for each in containers])
    assert {type(answer) for answer in answers} == {CachedResponse}
    assert len(set(answers)) == 1
    assert CountedDatabase.asked == 1


def test_those_who_find_it_past_its_time_get_the_last_one_while_one_loads(container: Callable[[], Programme]) -> None:
    loader, reader = container(), container()
    event_id = loader.event().id
    last = loader.reads.read_event(event_id)
    loader.now = reader.now = SALE_STARTS + timedelta(minutes=1)  # around the sale a minute is its time
    asked, go_on = threading.Event(), threading.Event()
    load = loader.events.event

    def slowly(*arguments: Any, **options: Any) -> EventDetail:
        asked.set()
        assert go_on.wait(10)
        return load(*arguments, **options)

    loader.events.event = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(loader.reads.read_event, event_id)
        assert asked.wait(10)
        before = CountedDatabase.asked
        assert reader.reads.read_event(event_id) == last
        assert CountedDatabase.asked == before
        go_on.set()
        assert loading.result(10) == last


def test_a_loader_that_read_before_a_change_does_not_keep_what_it_read(container: Callable[[], Programme]) -> None:
    """The race that cache aside is known for: read old, change, drop, keep old."""
    loader, admin, reader = container(), container(), container()
    event_id = loader.event(title="Old").id
    load = loader.events.event

    def overtaken(*arguments: Any, **options: Any) -> EventDetail:
        old = load(*arguments, **options)
        admin.admin.edit(event_id, edit(title="New"), ANY_VERSION)
        return old

    loader.events.event = overtaken  # type: ignore[method-assign]
    assert detail(loader, event_id).title == "Old", "the change was not there yet when it was asked for"
    assert detail(reader, event_id).title == "New"
    loader.events.event = load  # type: ignore[method-assign]
    assert detail(loader, event_id).title == "New"


def test_who_waits_through_a_change_gets_what_was_read_after_he_asked(container: Callable[[], Programme]) -> None:
    """A sale drops an event's key many times a second: a load that is never quick enough to be kept serves them all."""
    first, second, waiting = container(), container(), container()
    event_id = first.event().id
    client, clock = waiting.cache._connect(), first.now
    steps: Iterator[Callable[[], object]]

    def overtaken(programme: Programme, meanwhile: Callable[[], object]) -> None:
        load = programme.events.event

        def loaded(*arguments: Any, **options: Any) -> EventDetail:
            answer = load(*arguments, **options)
            meanwhile()
            return answer

        programme.events.event = loaded  # type: ignore[method-assign]

    def ask() -> str:
        def sleep(_seconds: float) -> None:
            next(steps)()

        cache = ReadCache(lambda: client, waiting.clock, sleep=sleep)
        return Programme(waiting.database, cache).reads.read_event(event_id).json

    def change_and_load_again() -> None:
        first.cache.drop(event_key(event_id))
        second.now = clock + SECOND
        before = CountedDatabase.asked
        second.reads.read_event(event_id)
        assert CountedDatabase.asked == before + 1

    steps = iter([change_and_load_again])
    answers: list[str] = []
    overtaken(first, lambda: answers.append(ask()))  # asks while the first is loading
    overtaken(second, lambda: second.cache.drop(event_key(event_id)))  # is not kept either
    before = CountedDatabase.asked
    first.reads.read_event(event_id)
    assert CountedDatabase.asked == before + 2, "who waited asked nothing himself"
    assert len(answers) == 1


def test_readers_and_a_writer_at_once_leave_the_newest_in_the_cache(container: Callable[[], Programme]) -> None:
    admin = container()
    event_id = admin.event(title="0").id
    readers = [container() for _ in range(7)]
    done = threading.Event()

    def write() -> None:
        for number in range(1, 30):
            admin.admin.edit(event_id, edit(title=str(number)), ANY_VERSION)
            assert detail(admin, event_id).title == str(number), "an admin sees what he has written"
        done.set()

    def read(reader: Programme) -> None:
        last = 0
        while not done.is_set():
            seen = int(detail(reader, event_id).title)
            assert seen >= last, "time does not go back"
            last = seen

    calls: list[Callable[[], None]] = [write, *(partial(read, each) for each in readers)]
    outcomes = concurrently(calls)
    done.set()
    assert outcomes == [None] * 8
    assert detail(readers[0], event_id).title == "29"


def test_every_change_shows_at_once_in_list_detail_and_seats(container: Callable[[], Programme]) -> None:
    admin, reader = container(), container()
    admin.now = reader.now = SALE_STARTS - timedelta(days=1)

    def shown() -> tuple[Any, ...]:
        page = reader.reads.read_page(EventSearch()).json
        event = detail(reader, event_id)
        return event.title, event.title in page, event.venue.name, event.venue.name in page, event.status

    event_id = admin.event().id
    venue_id = admin.events.event(event_id).venue_id
    assert shown() == ("Concert", True, "Arts Centre", True, "UPCOMING")
    admin.admin.edit(event_id, edit(title="Encore", prices={"VIP": 2, "S": 1}), ANY_VERSION)
    admin.venue_admin.edit_venue(venue_id, {"name": "Opera"}, ANY_VERSION)
    assert shown() == ("Encore", True, "Opera", True, "UPCOMING")
    assert [grade.price for grade in reader.seat_list(event_id).grades] == [2, 1]
    admin.admin.edit(event_id, edit(prices={"VIP": 4, "S": 3}), ANY_VERSION)
    assert [grade.price for grade in reader.seat_list(event_id).grades] == [4, 3]
    admin.admin.cancel(event_id, "storm", UserId(new_id()), ANY_VERSION)
    assert shown()[-1] == "CANCELLED"
    admin.delete(event_id)
    with pytest.raises(DomainError) as refusal:
        reader.reads.read_event(event_id)
    assert type(refusal.value) is NotFound


def test_a_sale_that_a_message_tells_of_shows_at_once(container: Callable[[], Programme]) -> None:
    consumer, reader = container(), container()
    event_id = consumer.event().id
    seat, *_ = reader.seat_ids(event_id)
    assert detail(reader, event_id).remaining == {"VIP": 2, "S": 6}
    sold = ReservationConfirmed(reservation_id=new_id(), event_id=event_id, seat_ids=[seat], confirmed_at=SALE_STARTS)
    message = envelope(
        sold, message_id=new_id(), at=SALE_STARTS, correlation_id="t", causation_id=None, user_id=new_id()
    )
    with consumer.database.transaction() as connection:
        after_commit = seat_messages(consumer.cache).confirmed(connection, message, sold)
    after_commit()
    assert detail(reader, event_id).remaining == {"VIP": 1, "S": 6}
    assert reader.reads.sold_seats(event_id) == [seat]
    assert reader.reads.seat_statuses(event_id).version == 1


@pytest.mark.parametrize(("at", "status"), [(SALE_STARTS, "ONGOING"), (SHOW_ENDS, "ENDED")])
def test_a_status_changes_at_its_second_whatever_is_cached(
    container: Callable[[], Programme], at: Any, status: str
) -> None:
    programme = container()
    event_id = programme.event().id
    programme.now = at - SECOND
    assert detail(programme, event_id).status != status
    assert programme.reads.read_page(EventSearch.model_validate({"status": status})).json.count('"id"') == 0
    programme.now = at
    assert detail(programme, event_id).status == status
    assert programme.reads.read_page(EventSearch.model_validate({"status": status})).json.count(str(event_id)) == 1


def test_without_redis_everybody_reads_all_the_same(
    database_of: Callable[[str], Database], container: Callable[[], Programme]
) -> None:
    event_id = container().event().id
    nowhere = connect("redis://127.0.0.1:1/0", cluster=False)
    asked = 0

    def away() -> Client:
        nonlocal asked
        asked += 1
        return nowhere

    programme = Programme(database_of("event_service"), ReadCache(away, lambda: SALE_STARTS))
    assert detail(programme, event_id).id == event_id
    assert len(programme.seat_ids(event_id)) == 8
    assert '"total":1' in programme.reads.read_page(EventSearch()).json
    programme.admin.edit(event_id, edit(title="New"), ANY_VERSION)
    assert detail(programme, event_id).title == "New"
    assert asked == 1, "once it is away it is left alone for a while"


def test_a_loader_that_failed_gives_its_lease_back(container: Callable[[], Programme]) -> None:
    programme = container()
    with pytest.raises(DomainError):
        programme.reads.read_event(EventId(new_id()))
    waits: list[float] = []
    cache = ReadCache(programme.cache._connect, programme.clock, sleep=waits.append)

    def fails(_recent: bool) -> LoadResult:
        raise OSError("away")

    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            cache.get("cache:event:list", "field", fails)
    assert waits == []


def test_a_loader_that_died_is_waited_for_until_its_lease_ends(container: Callable[[], Programme]) -> None:
    programme = container()
    event_id = programme.event().id
    redis = programme.cache._connect()
    lease = f"{int((programme.now + 3 * SECOND).timestamp() * 1000)} somebody"
    redis.hset(event_key(event_id), "detail:lease", lease)

    def sleep(seconds: float) -> None:
        programme.now += timedelta(seconds=seconds)

    cache = ReadCache(lambda: redis, programme.clock, sleep=sleep)
    began = programme.now
    patient = Programme(programme.database, cache)
    assert patient.reads.read_event(event_id).json
    assert 3 * SECOND <= programme.now - began <= 3.5 * SECOND


def test_after_a_change_the_replica_is_not_asked(
    container: Callable[[], Programme], database_of: Callable[[str], Database]
) -> None:
    """The replica is a database that hears of nothing, here: an old one would show."""

    class Replica(Database):
        asked = 0

        def rows(self, sql: str, parameters: Parameters = None) -> list[Row]:
            type(self).asked += 1
            return super().rows(sql, parameters)

    writer = container()
    event_id = writer.event().id
    replica = Replica(database_of("event_service")._conninfo)
    reader = Programme(writer.database, ReadCache(writer.cache._connect, lambda: reader.now), replica)
    reader.reads.read_event(event_id)
    assert Replica.asked == 1, "a read that may be a moment old is the replica's"
    writer.admin.edit(event_id, edit(title="New"), ANY_VERSION)
    assert detail(reader, event_id).title == "New"
    assert Replica.asked == 1, "one that may not is the writer's"
    replica.close()


def test_searches_somebody_thinks_up_do_not_fill_the_memory(container: Callable[[], Programme]) -> None:
    programme = container()
    loaded = LoadResult(CachedResponse('"1"', "x"), freshness(programme.now, around_sale=False))
    for number in range(900):
        programme.cache.get(LIST_KEY, f"search {number}", lambda _recent: loaded)
    assert programme.cache._connect().hlen(LIST_KEY) <= 2004
