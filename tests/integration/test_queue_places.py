"""The queue in a real Redis: first in, first out, exactly as many as fit, one queue for each user."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from common.contracts.sale_terms import SaleTermsResponse
from common.domain.clock import microseconds
from common.domain.ids import EventId
from common.domain.shared_errors import DomainError, ServiceUnavailable
from common.stores.redis import Client
from common.waitingroom.queue_keys import membership_key, queue_key
from functions.admitter.adapters.admission_redis import AdmissionRedis
from functions.admitter.domain.admission import AdmissionPolicy
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.domain.queue_status import QueueStatus, Waiting
from tests.support.concurrently import concurrently
from tests.support.fixtures.round_trips import RoundTrips, round_trips
from tests.support.fixtures.waiting_room import NOW, FakeEvents, WaitingRoom, new_event, new_user, sale

__all__ = ["round_trips"]
NewClient = Callable[[], Client]


@pytest.fixture
def event_id() -> EventId:
    return new_event()


@pytest.fixture
def room(any_redis: NewClient, event_id: EventId) -> Callable[..., WaitingRoom]:
    queue = QueueRedis(any_redis())

    def make(terms: SaleTermsResponse | None = None, now: datetime = NOW) -> WaitingRoom:
        return WaitingRoom(queue, FakeEvents(terms or sale(event_id)), lambda: now)

    return make


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as rejected:
        call()
    return rejected.value.code


def ahead_of(place: QueueStatus) -> int:
    assert isinstance(place, Waiting)
    return place.ahead


def test_two_hundred_concurrent_arrivals_get_two_hundred_different_places(
    any_redis: NewClient, event_id: EventId
) -> None:
    users = [new_user() for _ in range(200)]
    rooms = [WaitingRoom(QueueRedis(any_redis()), FakeEvents(sale(event_id)), lambda: NOW) for _ in range(5)]
    calls = [partial(rooms[i % 5].enter, event_id, user) for i, user in enumerate(users)]
    for batch in range(0, 200, 50):
        assert not [each for each in concurrently(calls[batch : batch + 50]) if isinstance(each, Exception)]
    places = [rooms[0].status(event_id, user) for user in users]
    assert sorted(map(ahead_of, places)) == list(range(200))
    assert len({place.position.place for place in places if isinstance(place, Waiting)}) == 200


def test_capacity_is_exact_when_more_arrive_at_once_than_fit(any_redis: NewClient, event_id: EventId) -> None:
    terms = sale(event_id, capacity=7)
    rooms = [WaitingRoom(QueueRedis(any_redis()), FakeEvents(terms), lambda: NOW) for _ in range(5)]
    outcomes = concurrently([partial(rooms[i % 5].enter, event_id, new_user()) for i in range(30)])
    assert len([each for each in outcomes if isinstance(each, Waiting)]) == 7
    assert {str(each) for each in outcomes if isinstance(each, Exception)} == {"QUEUE_FULL"}


def test_a_clock_that_goes_back_lets_no_user_overtake(room: Callable[..., WaitingRoom], event_id: EventId) -> None:
    first, late = new_user(), new_user()
    room().enter(event_id, first)
    assert ahead_of(room(now=NOW - timedelta(seconds=2)).enter(event_id, late)) == 1


def test_entering_again_keeps_the_place(room: Callable[..., WaitingRoom], event_id: EventId) -> None:
    users = [new_user() for _ in range(3)]
    places = [room().enter(event_id, user) for user in users]
    again = room(now=NOW + timedelta(minutes=3)).enter(event_id, users[0])
    assert isinstance(again, Waiting)
    assert (again.ahead, again.position, again.outcome) == (0, places[0].position, "KEPT")  # type: ignore[union-attr]


def test_enter_status_and_leave_take_one_round_trip_each(
    room: Callable[..., WaitingRoom], event_id: EventId, round_trips: RoundTrips
) -> None:
    users = [new_user() for _ in range(20)]  # whose memberships are on every node of the cluster
    for user in users:  # writes the terms, and loads the scripts on every node
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


def test_a_user_waits_for_one_event_at_a_time(any_redis: NewClient, event_id: EventId) -> None:
    other, user = new_event(), new_user()
    redis = any_redis()
    queue = QueueRedis(redis)
    WaitingRoom(queue, FakeEvents(sale(event_id)), lambda: NOW).enter(event_id, user)
    elsewhere = WaitingRoom(queue, FakeEvents(sale(other)), lambda: NOW)
    assert code_of(lambda: elsewhere.enter(other, user)) == "ALREADY_WAITING"
    assert redis.zcard(queue_key(other)) == 0, "the place was not given up again"
    WaitingRoom(queue, FakeEvents(None), lambda: NOW).leave(event_id, user)
    assert ahead_of(elsewhere.enter(other, user)) == 0


def test_a_user_who_enters_two_queues_at_once_gets_a_place_in_one(any_redis: NewClient) -> None:
    queues = [QueueRedis(any_redis()) for _ in range(2)]
    placed = 0
    for _ in range(30):
        user, events = new_user(), (new_event(), new_event())
        calls = [
            partial(WaitingRoom(queue, FakeEvents(sale(event)), lambda: NOW).enter, event, user)
            for queue, event in zip(queues, events, strict=True)
        ]
        outcomes = concurrently(calls)
        places = [queues[0].read_status(event, user, NOW) for event in events]
        assert len([place for place in places if place]) <= 1
        assert [isinstance(each, Waiting) for each in outcomes] == [place is not None for place in places]
        placed += any(places)
    assert placed, "no user got a place"


def test_a_queue_membership_ends_within_a_day(
    room: Callable[..., WaitingRoom], any_redis: NewClient, event_id: EventId
) -> None:
    user = new_user()
    room().enter(event_id, user)
    assert 0 < any_redis().ttl(membership_key(user)) <= 24 * 3600


def test_a_membership_left_by_a_crash_is_replaced_after_its_grace(
    any_redis: NewClient, room: Callable[..., WaitingRoom], event_id: EventId
) -> None:
    user = new_user()
    # The process crashed between membership and place.
    any_redis().set(membership_key(user), f"{new_event()} {microseconds(NOW)}")
    assert code_of(lambda: room(now=NOW + timedelta(seconds=5)).enter(event_id, user)) == "ALREADY_WAITING"
    assert ahead_of(room(now=NOW + timedelta(seconds=31)).enter(event_id, user)) == 0


def test_a_place_left_by_a_crash_is_given_up_by_the_next_enter(any_redis: NewClient, event_id: EventId) -> None:
    redis = any_redis()
    queue, other, user = QueueRedis(redis), new_event(), new_user()
    there = WaitingRoom(queue, FakeEvents(sale(other)), lambda: NOW)
    there.enter(other, user)
    queue.write_sale_terms(sale(event_id), NOW)
    queue.enter(event_id, user, NOW, None, accept_stale=True)  # crashed before giving back the place
    here = WaitingRoom(queue, FakeEvents(sale(event_id)), lambda: NOW)
    assert code_of(lambda: here.enter(event_id, user)) == "ALREADY_WAITING"
    assert queue.read_status(event_id, user, NOW) is None
    assert ahead_of(there.status(other, user)) == 0


def test_a_user_whose_sold_out_queue_opens_again_gets_no_second_place_elsewhere(any_redis: NewClient) -> None:
    queue, user, here, other = QueueRedis(any_redis()), new_user(), new_event(), new_event()
    rooms = {each: WaitingRoom(queue, FakeEvents(sale(each)), lambda: NOW) for each in (here, other)}
    rooms[here].enter(here, user)
    queue.write_sale_terms(sale(here, sold_out=True), NOW)
    assert code_of(lambda: rooms[here].enter(here, user)) == "SOLD_OUT"  # although the user keeps the place
    queue.write_sale_terms(sale(here), NOW)
    assert code_of(lambda: rooms[other].enter(other, user)) == "ALREADY_WAITING"
    assert ahead_of(rooms[here].status(here, user)) == 0


@pytest.mark.parametrize("ended", [{"sold_out": True}, {"closes": timedelta(0)}], ids=lambda ended: "_".join(ended))
def test_entering_another_queue_gives_up_the_place_in_one_that_admits_no_users(
    any_redis: NewClient, ended: dict[str, object]
) -> None:
    queue, user, here, other = QueueRedis(any_redis()), new_user(), new_event(), new_event()
    rooms = {each: WaitingRoom(queue, FakeEvents(sale(each)), lambda: NOW) for each in (here, other)}
    rooms[here].enter(here, user)
    queue.write_sale_terms(sale(here, **ended), NOW)  # type: ignore[arg-type]
    assert ahead_of(rooms[other].enter(other, user)) == 0
    queue.write_sale_terms(sale(here), NOW)  # a seat became free, or the sale was prolonged
    assert code_of(lambda: rooms[here].status(here, user)) == "NOT_IN_QUEUE"
    assert code_of(lambda: rooms[here].enter(here, user)) == "ALREADY_WAITING"


def test_a_rejection_by_one_queue_does_not_cost_the_place_in_another(any_redis: NewClient) -> None:
    queue, user, here, other = QueueRedis(any_redis()), new_user(), new_event(), new_event()
    room = WaitingRoom(queue, FakeEvents(sale(here)), lambda: NOW)
    full = WaitingRoom(queue, FakeEvents(sale(other, capacity=0)), lambda: NOW)
    room.enter(here, user)
    queue.write_sale_terms(sale(here, sold_out=True), NOW)
    assert code_of(lambda: full.enter(other, user)) == "QUEUE_FULL"
    queue.write_sale_terms(sale(here), NOW)
    assert ahead_of(room.status(here, user)) == 0
    queue.write_sale_terms(sale(other), NOW)
    assert code_of(lambda: full.enter(other, user)) == "ALREADY_WAITING"


class OvertakenQueue(QueueRedis):
    """A queue that runs `after_enter` before the caller gets the answer of `enter`."""

    after_enter: Callable[[], object]

    def enter(self, *arguments: Any, **options: Any) -> Any:
        answer = super().enter(*arguments, **options)
        self.after_enter()
        return answer


@pytest.mark.parametrize("capacity", [0, 10])
def test_a_rejected_enter_keeps_the_membership_of_an_accepted_one(any_redis: NewClient, capacity: int) -> None:
    """The first is rejected just before the opening (`capacity` 10), or because the queue is full (0)."""
    event_id, other, user, millisecond = new_event(), new_event(), new_user(), timedelta(milliseconds=1)
    queue, early = QueueRedis(any_redis()), OvertakenQueue(any_redis())
    opening = sale(event_id, opens=timedelta(0), capacity=capacity)
    queue.write_sale_terms(opening, NOW)

    def accepted_enter() -> None:
        queue.write_sale_terms(sale(event_id, opens=timedelta(0)), NOW)
        WaitingRoom(queue, FakeEvents(opening), lambda: NOW + millisecond).enter(event_id, user)

    early.after_enter = accepted_enter
    entered = NOW if capacity == 0 else NOW - millisecond
    with pytest.raises(DomainError):
        WaitingRoom(early, FakeEvents(opening), lambda: entered).enter(event_id, user)
    assert ahead_of(WaitingRoom(queue, FakeEvents(opening), lambda: NOW).status(event_id, user)) == 0
    elsewhere = WaitingRoom(queue, FakeEvents(sale(other)), lambda: NOW)
    assert code_of(lambda: elsewhere.enter(other, user)) == "ALREADY_WAITING"


def test_a_rejected_enter_keeps_a_membership_whose_enter_may_still_run(
    any_redis: NewClient, room: Callable[..., WaitingRoom], event_id: EventId
) -> None:
    redis, user = any_redis(), new_user()

    def is_kept(seconds: int) -> bool:
        """Whether the membership of another `enter` survives one that is rejected so many seconds later."""
        redis.set(membership_key(user), f"{event_id} {microseconds(NOW)}")
        late = room(sale(event_id, sold_out=True), NOW + timedelta(seconds=seconds))
        assert code_of(lambda: late.enter(event_id, user)) == "SOLD_OUT"
        return redis.exists(membership_key(user)) == 1

    assert [is_kept(1), is_kept(31)] == [True, False]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"opens": timedelta(minutes=1)}, "SALE_NOT_OPEN"),
        ({"closes": timedelta(0)}, "SALE_CLOSED"),
        ({"sold_out": True}, "SOLD_OUT"),
        ({"capacity": 0}, "QUEUE_FULL"),
    ],
)
def test_a_rejected_user_is_free_to_wait_elsewhere(
    any_redis: NewClient, room: Callable[..., WaitingRoom], event_id: EventId, terms: dict[str, object], code: str
) -> None:
    user = new_user()
    assert code_of(lambda: room(sale(event_id, **terms)).enter(event_id, user)) == code  # type: ignore[arg-type]
    assert any_redis().get(membership_key(user)) is None


@pytest.mark.parametrize(
    ("terms", "code"), [({"closes": timedelta(minutes=1)}, "SALE_CLOSED"), ({"sold_out": True}, "SOLD_OUT")]
)
def test_when_the_sale_ends_waiting_users_are_rejected_at_once(
    room: Callable[..., WaitingRoom], any_redis: NewClient, event_id: EventId, terms: dict[str, object], code: str
) -> None:
    user, at = new_user(), NOW + timedelta(minutes=2)
    room().enter(event_id, user)
    ended = sale(event_id, **terms)  # type: ignore[arg-type]
    QueueRedis(any_redis()).write_sale_terms(ended, at)
    assert code_of(lambda: room(ended, at).status(event_id, user)) == code
    assert code_of(lambda: room(ended, at).enter(event_id, user)) == code


def test_a_sold_out_queue_goes_on_when_seats_become_free(
    room: Callable[..., WaitingRoom], any_redis: NewClient, event_id: EventId
) -> None:
    user, queue = new_user(), QueueRedis(any_redis())
    room().enter(event_id, user)
    queue.write_sale_terms(sale(event_id, sold_out=True), NOW)
    assert code_of(lambda: room().status(event_id, user)) == "SOLD_OUT"
    queue.write_sale_terms(sale(event_id), NOW)
    assert ahead_of(room().status(event_id, user)) == 0


def test_users_with_more_ahead_than_seats_left_may_miss_out(
    room: Callable[..., WaitingRoom], event_id: EventId
) -> None:
    places = [room(sale(event_id, seats_left=2)).enter(event_id, new_user()) for _ in range(3)]
    assert [place.may_miss_out for place in places if isinstance(place, Waiting)] == [False, False, True]


def test_an_event_that_does_not_exist_has_no_queue(any_redis: NewClient, event_id: EventId) -> None:
    redis = any_redis()
    unknown, user = WaitingRoom(QueueRedis(redis), FakeEvents(None), lambda: NOW), new_user()
    assert code_of(lambda: unknown.enter(event_id, user)) == "NOT_FOUND"
    assert redis.get(membership_key(user)) is None
    assert code_of(lambda: unknown.status(event_id, new_user())) == "NOT_IN_QUEUE"
    assert code_of(lambda: unknown.serving_position(event_id)) == "NOT_FOUND"


class UnavailableEvents(FakeEvents):
    """The events service while it is unavailable."""

    def sale_terms(self, event_id: EventId) -> SaleTermsResponse:
        self.calls += 1
        raise ServiceUnavailable()


def test_the_queue_accepts_users_while_the_events_service_is_unavailable(
    any_redis: NewClient, event_id: EventId
) -> None:
    queue = QueueRedis(any_redis())
    WaitingRoom(queue, FakeEvents(sale(event_id)), lambda: NOW).enter(event_id, new_user())
    later = NOW + timedelta(minutes=10)  # the terms are stale by now
    assert ahead_of(WaitingRoom(queue, UnavailableEvents(None), lambda: later).enter(event_id, new_user())) == 1
    assert (
        code_of(lambda: WaitingRoom(queue, UnavailableEvents(None), lambda: NOW).enter(new_event(), new_user()))
        == "SERVICE_UNAVAILABLE"
    )


def test_an_unavailable_events_service_is_called_once_in_five_seconds(any_redis: NewClient, event_id: EventId) -> None:
    queue, events, clock = QueueRedis(any_redis()), UnavailableEvents(None), {"now": NOW + timedelta(minutes=10)}
    queue.write_sale_terms(sale(event_id), NOW)
    room = WaitingRoom(queue, events, lambda: clock["now"])
    for _ in range(5):
        room.enter(event_id, new_user())
    assert events.calls == 1
    clock["now"] += timedelta(seconds=5)
    room.enter(event_id, new_user())
    assert events.calls == 2


def test_operators_manage_a_queue_while_the_events_service_is_unavailable(
    any_redis: NewClient, event_id: EventId
) -> None:
    queue = QueueRedis(any_redis())
    queue.write_sale_terms(sale(event_id), NOW)
    room = WaitingRoom(queue, UnavailableEvents(None), lambda: NOW + timedelta(minutes=10))
    assert room.update_settings(event_id, 3, paused=True).paused
    (stats,) = room.stats(event_id)
    assert (stats.paused, stats.admission_per_second) == (True, 3)
    assert code_of(lambda: room.update_settings(new_event(), None, paused=True)) == "SERVICE_UNAVAILABLE"
    assert code_of(lambda: room.stats(new_event())) == "SERVICE_UNAVAILABLE"


def test_sale_terms_are_read_once_while_fresh(any_redis: NewClient, event_id: EventId) -> None:
    events = FakeEvents(sale(event_id))
    room = WaitingRoom(QueueRedis(any_redis()), events, lambda: NOW)
    for _ in range(5):
        room.enter(event_id, new_user())
    assert events.calls == 1


def test_an_operators_rate_applies_until_the_rate_of_the_event_changes(any_redis: NewClient, event_id: EventId) -> None:
    events = FakeEvents(sale(event_id))
    clock = {"now": NOW}
    room = WaitingRoom(QueueRedis(any_redis()), events, lambda: clock["now"])
    assert room.update_settings(event_id, 25, None).admission_per_second == 25
    clock["now"] += timedelta(minutes=1)
    room.enter(event_id, new_user())  # the terms are stale by now and read again
    assert room.stats(event_id)[0].admission_per_second == 25
    events.known = sale(event_id, rate=5)
    assert room.stats(event_id)[0].admission_per_second == 5


def test_stats_count_waiting_and_admitted_users_and_the_longest_wait(any_redis: NewClient) -> None:
    event_id, other = new_event(), new_event()
    redis = any_redis()
    queue, admission = QueueRedis(redis), AdmissionRedis(redis, AdmissionPolicy())
    room = WaitingRoom(queue, FakeEvents(sale(event_id, capacity=100, rate=2)), lambda: NOW)
    for _ in range(5):
        room.enter(event_id, new_user())
    admission.tick([event_id], NOW)
    queue.write_sale_terms(sale(other), NOW)
    later = WaitingRoom(queue, FakeEvents(sale(event_id, capacity=100, rate=2)), lambda: NOW + timedelta(seconds=90))
    (stats,) = later.stats(event_id)
    assert (stats.waiting, stats.admitted, stats.active_tokens, stats.capacity) == (3, 2, 2, 100)
    assert timedelta(seconds=89) < stats.oldest_wait <= timedelta(seconds=90)
    assert {each.event_id for each in later.stats(None)} == {event_id, other}
    assert later.update_settings(event_id, None, paused=True).paused
    assert not admission.tick([event_id], NOW + timedelta(seconds=5))[0].admitted


def test_reading_the_serving_position_never_calls_the_events_service(any_redis: NewClient, event_id: EventId) -> None:
    events = FakeEvents(sale(event_id, opens=timedelta(hours=1)))
    room = WaitingRoom(QueueRedis(any_redis()), events, lambda: NOW)
    assert code_of(lambda: room.serving_position(event_id)) == "NOT_FOUND"
    assert events.calls == 0
    assert code_of(lambda: room.enter(event_id, new_user())) == "SALE_NOT_OPEN"
    assert room.serving_position(event_id).state == "NOT_OPEN", "an `enter` makes the queue known"


def test_the_serving_position_passes_a_place_when_it_is_admitted(any_redis: NewClient, event_id: EventId) -> None:
    redis = any_redis()
    room = WaitingRoom(QueueRedis(redis), FakeEvents(sale(event_id, rate=2)), lambda: NOW)
    QueueRedis(redis).write_sale_terms(sale(event_id, rate=2), NOW)
    before = room.serving_position(event_id)
    assert (before.state, before.front, before.admitted, before.waiting) == ("OPEN", 0, 0, 0)
    places = [place for place in (room.enter(event_id, new_user()) for _ in range(5)) if isinstance(place, Waiting)]
    AdmissionRedis(redis, AdmissionPolicy()).tick([event_id], NOW)
    serving = room.serving_position(event_id)
    assert [place.position.place <= serving.front for place in places] == [True, True, False, False, False]
    assert (serving.admitted, serving.waiting) == (2, 3)
    room.update_settings(event_id, None, paused=True)
    assert room.serving_position(event_id).state == "PAUSED"
