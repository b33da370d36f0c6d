"""The line in a real Redis: first in, first out, exactly as many as fit, one line a user."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from common.problem import NOT_FOUND, SERVICE_UNAVAILABLE, Refusal
from common.redis import Client, connect
from common.waiting_line import active_key
from functions.admitter.admission import Admission
from functions.queue.line_store import LineStore
from functions.queue.waiting_room import SaleTerms, Waiting, WaitingRoom
from tests.concurrently import concurrently

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)


class FakeSales:
    def __init__(self, terms: SaleTerms | None) -> None:
        self.known = terms
        self.asked = 0

    def terms(self, event_id: UUID) -> SaleTerms:
        self.asked += 1
        if self.known is None:
            raise NOT_FOUND.refusal()
        return self.known


def sale(
    event_id: UUID, *, capacity: int = 1000, opens: timedelta = timedelta(hours=-1), sold_out: bool = False
) -> SaleTerms:
    return SaleTerms(event_id, NOW + opens, NOW + timedelta(hours=5), capacity, 10, sold_out)


@pytest.fixture
def event_id() -> UUID:
    return uuid4()


@pytest.fixture
def room(redis: Client, event_id: UUID) -> Callable[..., WaitingRoom]:
    def make(terms: SaleTerms | None = None, now: datetime = NOW) -> WaitingRoom:
        return WaitingRoom(LineStore(redis), FakeSales(terms or sale(event_id)), lambda: now)

    return make


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refused:
        call()
    return refused.value.problem.code


def test_two_hundred_concurrent_arrivals_get_two_hundred_different_places(
    redis_url: str, redis: Client, event_id: UUID
) -> None:
    users = [uuid4() for _ in range(200)]
    rooms = [
        WaitingRoom(LineStore(connect(redis_url, cluster=False)), FakeSales(sale(event_id)), lambda: NOW)
        for _ in range(20)
    ]
    calls = [partial(rooms[i % 20].enter, event_id, user) for i, user in enumerate(users)]
    for batch in range(0, 200, 50):
        assert not [each for each in concurrently(calls[batch : batch + 50]) if isinstance(each, Exception)]
    places = [rooms[0].status(event_id, user) for user in users]
    assert sorted(place.ahead for place in places if isinstance(place, Waiting)) == list(range(200))


def test_capacity_is_exact_when_more_arrive_at_once_than_fit(redis_url: str, redis: Client, event_id: UUID) -> None:
    rooms = [
        WaitingRoom(LineStore(connect(redis_url, cluster=False)), FakeSales(sale(event_id, capacity=7)), lambda: NOW)
        for _ in range(30)
    ]
    outcomes = concurrently([partial(each.enter, event_id, uuid4()) for each in rooms])
    assert len([each for each in outcomes if isinstance(each, Waiting)]) == 7
    assert {str(each) for each in outcomes if isinstance(each, Exception)} == {"QUEUE_FULL"}


def test_a_clock_that_goes_back_does_not_let_anyone_jump_the_line(
    room: Callable[..., WaitingRoom], event_id: UUID
) -> None:
    first, late = uuid4(), uuid4()
    room().enter(event_id, first)
    place = room(now=NOW - timedelta(seconds=2)).enter(event_id, late)
    assert place == Waiting(1, 10)


def test_entering_again_keeps_the_place(room: Callable[..., WaitingRoom], event_id: UUID) -> None:
    users = [uuid4() for _ in range(3)]
    for user in users:
        room().enter(event_id, user)
    assert room(now=NOW + timedelta(minutes=3)).enter(event_id, users[0]) == Waiting(0, 10)


def test_a_user_waits_for_one_event_at_a_time(redis: Client, event_id: UUID) -> None:
    other, user = uuid4(), uuid4()
    line = LineStore(redis)
    WaitingRoom(line, FakeSales(sale(event_id)), lambda: NOW).enter(event_id, user)
    elsewhere = WaitingRoom(line, FakeSales(sale(other)), lambda: NOW)
    assert code_of(lambda: elsewhere.enter(other, user)) == "ALREADY_WAITING"
    WaitingRoom(line, FakeSales(None), lambda: NOW).leave(event_id, user)
    assert elsewhere.enter(other, user) == Waiting(0, 10)


def test_of_two_lines_entered_at_once_a_user_stands_in_one(redis_url: str, redis: Client) -> None:
    lines = [LineStore(connect(redis_url, cluster=False)) for _ in range(2)]
    for _ in range(20):
        user, events = uuid4(), (uuid4(), uuid4())
        calls = [
            partial(WaitingRoom(line, FakeSales(sale(event)), lambda: NOW).enter, event, user)
            for line, event in zip(lines, events, strict=True)
        ]
        concurrently(calls)
        line = LineStore(redis)
        assert len([event for event in events if line.place(event, user)]) <= 1


def test_a_claim_left_behind_by_a_crash_heals_itself(
    redis: Client, room: Callable[..., WaitingRoom], event_id: UUID
) -> None:
    user = uuid4()
    redis.set(active_key(user), f"{uuid4()} {NOW.timestamp() * 1000:.0f}")  # claimed, and died before entering
    assert code_of(lambda: room(now=NOW + timedelta(seconds=5)).enter(event_id, user)) == "ALREADY_WAITING"
    assert room(now=NOW + timedelta(seconds=31)).enter(event_id, user) == Waiting(0, 10)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"opens": timedelta(minutes=1)}, "SALE_NOT_OPEN"),
        ({"sold_out": True}, "SOLD_OUT"),
        ({"capacity": 0}, "QUEUE_FULL"),
    ],
)
def test_whom_the_line_refuses_is_free_to_wait_elsewhere(
    redis: Client, room: Callable[..., WaitingRoom], event_id: UUID, terms: dict[str, object], code: str
) -> None:
    user = uuid4()
    assert code_of(lambda: room(sale(event_id, **terms)).enter(event_id, user)) == code  # type: ignore[arg-type]
    assert redis.get(active_key(user)) is None


def test_an_event_there_is_none_of_has_no_line(redis: Client, event_id: UUID) -> None:
    unknown = WaitingRoom(LineStore(redis), FakeSales(None), lambda: NOW)
    assert code_of(lambda: unknown.enter(event_id, uuid4())) == "NOT_FOUND"
    assert code_of(lambda: unknown.status(event_id, uuid4())) == "NOT_IN_QUEUE"


def test_the_line_keeps_taking_users_while_the_events_service_is_away(redis: Client, event_id: UUID) -> None:
    class Away(FakeSales):
        def terms(self, event_id: UUID) -> SaleTerms:
            raise SERVICE_UNAVAILABLE.refusal()

    line = LineStore(redis)
    WaitingRoom(line, FakeSales(sale(event_id)), lambda: NOW).enter(event_id, uuid4())
    later = NOW + timedelta(minutes=10)  # what was learnt is stale by now
    assert WaitingRoom(line, Away(None), lambda: later).enter(event_id, uuid4()) == Waiting(1, 10)
    assert code_of(lambda: WaitingRoom(line, Away(None), lambda: NOW).enter(uuid4(), uuid4())) == "SERVICE_UNAVAILABLE"


def test_terms_are_asked_once_while_fresh(redis: Client, event_id: UUID) -> None:
    sales = FakeSales(sale(event_id))
    room = WaitingRoom(LineStore(redis), sales, lambda: NOW)
    for _ in range(5):
        room.enter(event_id, uuid4())
    assert sales.asked == 1


def test_an_operators_rate_stands_until_the_events_own_is_changed(redis: Client, event_id: UUID) -> None:
    sales = FakeSales(sale(event_id))
    clock = {"now": NOW}
    room = WaitingRoom(LineStore(redis), sales, lambda: clock["now"])
    assert room.steer(event_id, 25, None).admission_per_second == 25
    clock["now"] += timedelta(minutes=1)
    room.enter(event_id, uuid4())  # the terms are stale by now and learnt again
    assert room.stats(event_id)[0].admission_per_second == 25
    assert sales.known
    sales.known = replace(sales.known, admission_per_second=5)
    assert room.stats(event_id)[0].admission_per_second == 5


def test_stats_count_who_waits_who_was_let_in_and_for_how_long(redis: Client) -> None:
    now = datetime.now(UTC)
    event_id, other = uuid4(), uuid4()
    line = LineStore(redis)
    terms = SaleTerms(event_id, now - timedelta(hours=1), now + timedelta(hours=1), 100, 2, sold_out=False)
    room = WaitingRoom(line, FakeSales(terms), lambda: now)
    for _ in range(5):
        room.enter(event_id, uuid4())
    Admission(redis, 600).tick()
    line.learn(replace(terms, event_id=other), now)
    later = WaitingRoom(line, FakeSales(terms), lambda: now + timedelta(seconds=90))
    (stats,) = later.stats(event_id)
    assert (stats.waiting, stats.admitted, stats.active_tokens, stats.capacity) == (3, 2, 2, 100)
    assert timedelta(seconds=89) < stats.oldest_wait <= timedelta(seconds=90)
    assert {each.event_id for each in later.stats(None)} == {event_id, other}
    assert later.steer(event_id, None, paused=True).paused
    assert Admission(redis, 600).tick().admitted == 0
