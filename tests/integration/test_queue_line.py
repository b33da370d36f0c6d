"""The line in a real Redis: first in, first out, exactly as many as fit, one line a user."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts.sale_terms import SaleTermsAnswer
from common.domain.clock import microseconds
from common.domain.shared_errors import DomainError, ServiceUnavailable
from common.stores.redis import Client
from common.waitingroom.queue_keys import active_key, line_key
from functions.admitter.adapters.admission_redis import Admission, Policy
from functions.queue.adapters.queue_redis import LineStore
from functions.queue.usecases.enter_queue import Place, Waiting, WaitingRoom
from tests.concurrently import concurrently
from tests.on_sale import NOW, FakeSales, sale
from tests.redis_rounds import RoundTrips, round_trips

__all__ = ["round_trips"]
NewClient = Callable[[], Client]


@pytest.fixture
def event_id() -> UUID:
    return uuid4()


@pytest.fixture
def room(any_redis: NewClient, event_id: UUID) -> Callable[..., WaitingRoom]:
    line = LineStore(any_redis())

    def make(terms: SaleTermsAnswer | None = None, now: datetime = NOW) -> WaitingRoom:
        return WaitingRoom(line, FakeSales(terms or sale(event_id)), lambda: now)

    return make


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as refused:
        call()
    return refused.value.code


def ahead_of(place: Place) -> int:
    assert isinstance(place, Waiting)
    return place.ahead


def test_two_hundred_concurrent_arrivals_get_two_hundred_different_places(any_redis: NewClient, event_id: UUID) -> None:
    users = [uuid4() for _ in range(200)]
    rooms = [WaitingRoom(LineStore(any_redis()), FakeSales(sale(event_id)), lambda: NOW) for _ in range(5)]
    calls = [partial(rooms[i % 5].enter, event_id, user) for i, user in enumerate(users)]
    for batch in range(0, 200, 50):
        assert not [each for each in concurrently(calls[batch : batch + 50]) if isinstance(each, Exception)]
    places = [rooms[0].status(event_id, user) for user in users]
    assert sorted(map(ahead_of, places)) == list(range(200))
    assert len({place.standing.place for place in places if isinstance(place, Waiting)}) == 200


def test_capacity_is_exact_when_more_arrive_at_once_than_fit(any_redis: NewClient, event_id: UUID) -> None:
    terms = sale(event_id, capacity=7)
    rooms = [WaitingRoom(LineStore(any_redis()), FakeSales(terms), lambda: NOW) for _ in range(5)]
    outcomes = concurrently([partial(rooms[i % 5].enter, event_id, uuid4()) for i in range(30)])
    assert len([each for each in outcomes if isinstance(each, Waiting)]) == 7
    assert {str(each) for each in outcomes if isinstance(each, Exception)} == {"QUEUE_FULL"}


def test_a_clock_that_goes_back_does_not_let_anyone_jump_the_line(
    room: Callable[..., WaitingRoom], event_id: UUID
) -> None:
    first, late = uuid4(), uuid4()
    room().enter(event_id, first)
    assert ahead_of(room(now=NOW - timedelta(seconds=2)).enter(event_id, late)) == 1


def test_entering_again_keeps_the_place(room: Callable[..., WaitingRoom], event_id: UUID) -> None:
    users = [uuid4() for _ in range(3)]
    places = [room().enter(event_id, user) for user in users]
    again = room(now=NOW + timedelta(minutes=3)).enter(event_id, users[0])
    assert isinstance(again, Waiting)
    assert (again.ahead, again.standing, again.how) == (0, places[0].standing, "KEPT")  # type: ignore[union-attr]


def test_entering_asking_and_leaving_take_one_round_trip_each(
    room: Callable[..., WaitingRoom], event_id: UUID, round_trips: RoundTrips
) -> None:
    users = [uuid4() for _ in range(20)]  # whose claims lie all over the cluster
    for user in users:  # learns the terms, and shows the scripts to every node
        room().enter(event_id, user)
        room().status(event_id, user)
        room().leave(event_id, user)
    for user in users:
        with round_trips as rounds:
            room().enter(event_id, user)
        assert rounds.count == 1
        with round_trips as rounds:
            room().status(event_id, user)
        assert rounds.count == 1
    for user in users:
        with round_trips as rounds:
            room().leave(event_id, user)
        assert rounds.count == 1


def test_a_user_waits_for_one_event_at_a_time(any_redis: NewClient, event_id: UUID) -> None:
    other, user = uuid4(), uuid4()
    redis = any_redis()
    line = LineStore(redis)
    WaitingRoom(line, FakeSales(sale(event_id)), lambda: NOW).enter(event_id, user)
    elsewhere = WaitingRoom(line, FakeSales(sale(other)), lambda: NOW)
    assert code_of(lambda: elsewhere.enter(other, user)) == "ALREADY_WAITING"
    assert redis.zcard(line_key(other)) == 0, "the place that was asked for together with the claim is given back"
    WaitingRoom(line, FakeSales(None), lambda: NOW).leave(event_id, user)
    assert ahead_of(elsewhere.enter(other, user)) == 0


def test_of_two_lines_entered_at_once_a_user_stands_in_one(any_redis: NewClient) -> None:
    lines = [LineStore(any_redis()) for _ in range(2)]
    stood = 0
    for _ in range(30):
        user, events = uuid4(), (uuid4(), uuid4())
        calls = [
            partial(WaitingRoom(line, FakeSales(sale(event)), lambda: NOW).enter, event, user)
            for line, event in zip(lines, events, strict=True)
        ]
        outcomes = concurrently(calls)
        places = [lines[0].place(event, user, NOW) for event in events]
        assert len([place for place in places if place]) <= 1
        assert [isinstance(each, Waiting) for each in outcomes] == [place is not None for place in places]
        stood += any(places)
    assert stood, "somebody always gets in"


def test_what_says_which_line_a_user_is_in_ends_within_a_day(
    room: Callable[..., WaitingRoom], any_redis: NewClient, event_id: UUID
) -> None:
    user = uuid4()
    room().enter(event_id, user)
    assert 0 < any_redis().ttl(active_key(user)) <= 24 * 3600


def test_a_claim_left_behind_by_a_crash_heals_itself(
    any_redis: NewClient, room: Callable[..., WaitingRoom], event_id: UUID
) -> None:
    user = uuid4()
    # Claimed, and died before entering.
    any_redis().set(active_key(user), f"{uuid4()} {microseconds(NOW)}")
    assert code_of(lambda: room(now=NOW + timedelta(seconds=5)).enter(event_id, user)) == "ALREADY_WAITING"
    assert ahead_of(room(now=NOW + timedelta(seconds=31)).enter(event_id, user)) == 0


def test_a_place_left_behind_by_a_crash_is_undone_by_the_next_enter(any_redis: NewClient, event_id: UUID) -> None:
    redis = any_redis()
    line, other, user = LineStore(redis), uuid4(), uuid4()
    there = WaitingRoom(line, FakeSales(sale(other)), lambda: NOW)
    there.enter(other, user)
    line.learn(sale(event_id), NOW)
    line.enter(event_id, user, NOW, None, accept_stale=True)  # refused the claim, and died before giving back the place
    here = WaitingRoom(line, FakeSales(sale(event_id)), lambda: NOW)
    assert code_of(lambda: here.enter(event_id, user)) == "ALREADY_WAITING"
    assert line.place(event_id, user, NOW) is None
    assert ahead_of(there.status(other, user)) == 0


def test_who_stands_in_a_line_that_sold_out_takes_no_place_elsewhere_beside_it(any_redis: NewClient) -> None:
    line, user, here, other = LineStore(any_redis()), uuid4(), uuid4(), uuid4()
    rooms = {each: WaitingRoom(line, FakeSales(sale(each)), lambda: NOW) for each in (here, other)}
    rooms[here].enter(here, user)
    line.learn(sale(here, sold_out=True), NOW)
    assert code_of(lambda: rooms[here].enter(here, user)) == "SOLD_OUT"  # as who forgot that he stands there
    line.learn(sale(here), NOW)
    assert code_of(lambda: rooms[other].enter(other, user)) == "ALREADY_WAITING"
    assert ahead_of(rooms[here].status(here, user)) == 0


@pytest.mark.parametrize("ended", [{"sold_out": True}, {"closes": timedelta(0)}], ids=lambda ended: "_".join(ended))
def test_entering_another_line_gives_up_the_place_in_one_that_lets_nobody_in(
    any_redis: NewClient, ended: dict[str, object]
) -> None:
    line, user, here, other = LineStore(any_redis()), uuid4(), uuid4(), uuid4()
    rooms = {each: WaitingRoom(line, FakeSales(sale(each)), lambda: NOW) for each in (here, other)}
    rooms[here].enter(here, user)
    line.learn(sale(here, **ended), NOW)  # type: ignore[arg-type]
    assert ahead_of(rooms[other].enter(other, user)) == 0
    line.learn(sale(here), NOW)  # a seat came back, or the sale was prolonged
    assert code_of(lambda: rooms[here].status(here, user)) == "NOT_IN_QUEUE"
    assert code_of(lambda: rooms[here].enter(here, user)) == "ALREADY_WAITING"


def test_a_line_that_refuses_costs_nobody_his_place_in_another(any_redis: NewClient) -> None:
    line, user, here, other = LineStore(any_redis()), uuid4(), uuid4(), uuid4()
    room = WaitingRoom(line, FakeSales(sale(here)), lambda: NOW)
    full = WaitingRoom(line, FakeSales(sale(other, capacity=0)), lambda: NOW)
    room.enter(here, user)
    line.learn(sale(here, sold_out=True), NOW)
    assert code_of(lambda: full.enter(other, user)) == "QUEUE_FULL"
    line.learn(sale(here), NOW)
    assert ahead_of(room.status(here, user)) == 0
    line.learn(sale(other), NOW)
    assert code_of(lambda: full.enter(other, user)) == "ALREADY_WAITING"


class Overtaken(LineStore):
    """A line in which something happens between an `enter` and what its caller makes of the answer."""

    meanwhile: Callable[[], object]

    def enter(self, *arguments: Any, **options: Any) -> Any:
        answer = super().enter(*arguments, **options)
        self.meanwhile()
        return answer


@pytest.mark.parametrize("capacity", [0, 10])
def test_an_enter_that_was_refused_leaves_the_claim_of_one_that_was_not(any_redis: NewClient, capacity: int) -> None:
    """At the opening (`capacity` 10: one asked a moment before) and at a place that came free (0: none was)."""
    event_id, other, user, moment = uuid4(), uuid4(), uuid4(), timedelta(milliseconds=1)
    line, early = LineStore(any_redis()), Overtaken(any_redis())
    opening = sale(event_id, opens=timedelta(0), capacity=capacity)
    line.learn(opening, NOW)

    def get_in() -> None:
        line.learn(sale(event_id, opens=timedelta(0)), NOW)
        WaitingRoom(line, FakeSales(opening), lambda: NOW + moment).enter(event_id, user)

    early.meanwhile = get_in
    asked = NOW if capacity == 0 else NOW - moment
    with pytest.raises(DomainError):
        WaitingRoom(early, FakeSales(opening), lambda: asked).enter(event_id, user)
    assert ahead_of(WaitingRoom(line, FakeSales(opening), lambda: NOW).status(event_id, user)) == 0
    elsewhere = WaitingRoom(line, FakeSales(sale(other)), lambda: NOW)
    assert code_of(lambda: elsewhere.enter(other, user)) == "ALREADY_WAITING"


def test_an_enter_that_was_refused_leaves_a_claim_whose_place_may_be_on_its_way(
    any_redis: NewClient, room: Callable[..., WaitingRoom], event_id: UUID
) -> None:
    redis, user = any_redis(), uuid4()

    def refused(seconds: int) -> bool:
        """Whether the claim of another `enter` outlives one that is refused so many seconds later."""
        redis.set(active_key(user), f"{event_id} {microseconds(NOW)}")
        late = room(sale(event_id, sold_out=True), NOW + timedelta(seconds=seconds))
        assert code_of(lambda: late.enter(event_id, user)) == "SOLD_OUT"
        return redis.exists(active_key(user)) == 1

    assert [refused(1), refused(31)] == [True, False]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"opens": timedelta(minutes=1)}, "SALE_NOT_OPEN"),
        ({"closes": timedelta(0)}, "SALE_CLOSED"),
        ({"sold_out": True}, "SOLD_OUT"),
        ({"capacity": 0}, "QUEUE_FULL"),
    ],
)
def test_whom_the_line_refuses_is_free_to_wait_elsewhere(
    any_redis: NewClient, room: Callable[..., WaitingRoom], event_id: UUID, terms: dict[str, object], code: str
) -> None:
    user = uuid4()
    assert code_of(lambda: room(sale(event_id, **terms)).enter(event_id, user)) == code  # type: ignore[arg-type]
    assert any_redis().get(active_key(user)) is None


@pytest.mark.parametrize(
    ("terms", "code"), [({"closes": timedelta(minutes=1)}, "SALE_CLOSED"), ({"sold_out": True}, "SOLD_OUT")]
)
def test_when_the_sale_ends_those_in_line_are_told_at_once(
    room: Callable[..., WaitingRoom], any_redis: NewClient, event_id: UUID, terms: dict[str, object], code: str
) -> None:
    user, at = uuid4(), NOW + timedelta(minutes=2)
    room().enter(event_id, user)
    ended = sale(event_id, **terms)  # type: ignore[arg-type]
    LineStore(any_redis()).learn(ended, at)
    assert code_of(lambda: room(ended, at).status(event_id, user)) == code
    assert code_of(lambda: room(ended, at).enter(event_id, user)) == code


def test_a_line_that_was_sold_out_goes_on_when_seats_come_back(
    room: Callable[..., WaitingRoom], any_redis: NewClient, event_id: UUID
) -> None:
    user, line = uuid4(), LineStore(any_redis())
    room().enter(event_id, user)
    line.learn(sale(event_id, sold_out=True), NOW)
    assert code_of(lambda: room().status(event_id, user)) == "SOLD_OUT"
    line.learn(sale(event_id), NOW)
    assert ahead_of(room().status(event_id, user)) == 0


def test_the_tail_is_told_that_seats_may_not_reach(room: Callable[..., WaitingRoom], event_id: UUID) -> None:
    places = [room(sale(event_id, seats_left=2)).enter(event_id, uuid4()) for _ in range(3)]
    assert [place.may_miss_out for place in places if isinstance(place, Waiting)] == [False, False, True]


def test_an_event_there_is_none_of_has_no_line(any_redis: NewClient, event_id: UUID) -> None:
    redis = any_redis()
    unknown, user = WaitingRoom(LineStore(redis), FakeSales(None), lambda: NOW), uuid4()
    assert code_of(lambda: unknown.enter(event_id, user)) == "NOT_FOUND"
    assert redis.get(active_key(user)) is None
    assert code_of(lambda: unknown.status(event_id, uuid4())) == "NOT_IN_QUEUE"
    assert code_of(lambda: unknown.serving(event_id)) == "NOT_FOUND"


class Away(FakeSales):
    """The events service, away."""

    def terms(self, event_id: UUID) -> SaleTermsAnswer:
        self.asked += 1
        raise ServiceUnavailable()


def test_the_line_keeps_taking_users_while_the_events_service_is_away(any_redis: NewClient, event_id: UUID) -> None:
    line = LineStore(any_redis())
    WaitingRoom(line, FakeSales(sale(event_id)), lambda: NOW).enter(event_id, uuid4())
    later = NOW + timedelta(minutes=10)  # what was learnt is stale by now
    assert ahead_of(WaitingRoom(line, Away(None), lambda: later).enter(event_id, uuid4())) == 1
    assert code_of(lambda: WaitingRoom(line, Away(None), lambda: NOW).enter(uuid4(), uuid4())) == "SERVICE_UNAVAILABLE"


def test_an_events_service_that_is_away_is_waited_for_once_in_five_seconds(
    any_redis: NewClient, event_id: UUID
) -> None:
    line, away, clock = LineStore(any_redis()), Away(None), {"now": NOW + timedelta(minutes=10)}
    line.learn(sale(event_id), NOW)
    room = WaitingRoom(line, away, lambda: clock["now"])
    for _ in range(5):
        room.enter(event_id, uuid4())
    assert away.asked == 1
    clock["now"] += timedelta(seconds=5)
    room.enter(event_id, uuid4())
    assert away.asked == 2


def test_a_line_is_paused_slowed_and_looked_at_while_the_events_service_is_away(
    any_redis: NewClient, event_id: UUID
) -> None:
    line = LineStore(any_redis())
    line.learn(sale(event_id), NOW)
    room = WaitingRoom(line, Away(None), lambda: NOW + timedelta(minutes=10))
    assert room.steer(event_id, 3, paused=True).paused
    (stats,) = room.stats(event_id)
    assert (stats.paused, stats.admission_per_second) == (True, 3)
    assert code_of(lambda: room.steer(uuid4(), None, paused=True)) == "SERVICE_UNAVAILABLE"
    assert code_of(lambda: room.stats(uuid4())) == "SERVICE_UNAVAILABLE"


def test_terms_are_asked_once_while_fresh(any_redis: NewClient, event_id: UUID) -> None:
    sales = FakeSales(sale(event_id))
    room = WaitingRoom(LineStore(any_redis()), sales, lambda: NOW)
    for _ in range(5):
        room.enter(event_id, uuid4())
    assert sales.asked == 1


def test_an_operators_rate_stands_until_the_events_own_is_changed(any_redis: NewClient, event_id: UUID) -> None:
    sales = FakeSales(sale(event_id))
    clock = {"now": NOW}
    room = WaitingRoom(LineStore(any_redis()), sales, lambda: clock["now"])
    assert room.steer(event_id, 25, None).admission_per_second == 25
    clock["now"] += timedelta(minutes=1)
    room.enter(event_id, uuid4())  # the terms are stale by now and learnt again
    assert room.stats(event_id)[0].admission_per_second == 25
    sales.known = sale(event_id, rate=5)
    assert room.stats(event_id)[0].admission_per_second == 5


def test_stats_count_who_waits_who_was_let_in_and_for_how_long(any_redis: NewClient) -> None:
    event_id, other = uuid4(), uuid4()
    redis = any_redis()
    line, admission = LineStore(redis), Admission(redis, Policy())
    room = WaitingRoom(line, FakeSales(sale(event_id, capacity=100, rate=2)), lambda: NOW)
    for _ in range(5):
        room.enter(event_id, uuid4())
    admission.tick([event_id], NOW)
    line.learn(sale(other), NOW)
    later = WaitingRoom(line, FakeSales(sale(event_id, capacity=100, rate=2)), lambda: NOW + timedelta(seconds=90))
    (stats,) = later.stats(event_id)
    assert (stats.waiting, stats.admitted, stats.active_tokens, stats.capacity) == (3, 2, 2, 100)
    assert timedelta(seconds=89) < stats.oldest_wait <= timedelta(seconds=90)
    assert {each.event_id for each in later.stats(None)} == {event_id, other}
    assert later.steer(event_id, None, paused=True).paused
    assert not admission.tick([event_id], NOW + timedelta(seconds=5))[0].admitted


def test_nobody_makes_us_ask_the_events_service_by_looking_at_the_serving_number(
    any_redis: NewClient, event_id: UUID
) -> None:
    sales = FakeSales(sale(event_id, opens=timedelta(hours=1)))
    room = WaitingRoom(LineStore(any_redis()), sales, lambda: NOW)
    assert code_of(lambda: room.serving(event_id)) == "NOT_FOUND"
    assert sales.asked == 0
    assert code_of(lambda: room.enter(event_id, uuid4())) == "SALE_NOT_OPEN"
    assert room.serving(event_id).state == "NOT_OPEN", "whoever tries to enter makes the line known"


def test_the_serving_number_passes_a_place_when_it_is_let_in(any_redis: NewClient, event_id: UUID) -> None:
    redis = any_redis()
    room = WaitingRoom(LineStore(redis), FakeSales(sale(event_id, rate=2)), lambda: NOW)
    LineStore(redis).learn(sale(event_id, rate=2), NOW)
    before = room.serving(event_id)
    assert (before.state, before.front, before.admitted, before.waiting) == ("OPEN", 0, 0, 0)
    places = [place for place in (room.enter(event_id, uuid4()) for _ in range(5)) if isinstance(place, Waiting)]
    Admission(redis, Policy()).tick([event_id], NOW)
    serving = room.serving(event_id)
    assert [place.standing.place <= serving.front for place in places] == [True, True, False, False, False]
    assert (serving.admitted, serving.waiting) == (2, 3)
    room.steer(event_id, None, paused=True)
    assert room.serving(event_id).state == "PAUSED"
