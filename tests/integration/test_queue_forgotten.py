"""Redis restarts empty during an on-sale: the line comes back in the old order, and nobody gets in twice."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from common.domain.clock import microseconds
from common.domain.shared_errors import DomainError
from common.stores.redis import Client
from common.waitingroom.queue_keys import seen_key
from functions.admitter.adapters.admission_redis import Admission, Policy
from functions.queue.adapters.queue_redis import GATHER, LineStore
from functions.queue.domain.place_receipt import PlaceTickets, Standing, Ticket
from functions.queue.usecases.enter_queue import Admitted, Waiting, WaitingRoom
from tests.on_sale import NOW, FakeSales, sale

SECOND = timedelta(seconds=1)
KEYS = [b"the key of this test".ljust(32)]


class Crowd:
    """Users who poll, each with the last ticket he was given, and the clock they share."""

    def __init__(self, redis: Client, event_id: UUID, rate: int = 10, capacity: int = 100_000) -> None:
        self.redis = redis
        self.event_id = event_id
        self.now = NOW
        sales = FakeSales(sale(event_id, rate=rate, capacity=capacity))
        self.room = WaitingRoom(LineStore(redis), sales, lambda: self.now)
        self.admission = Admission(redis, Policy())
        self.tickets: dict[UUID, str] = {}
        self._signer = PlaceTickets(lambda: KEYS)

    def enter(self, user: UUID, *, ticket: str | None = None) -> Waiting | Admitted:
        text = ticket or self.tickets.get(user)
        read = self._signer.read(self.event_id, user, text) if text else None
        return self._told(user, self.room.enter(self.event_id, user, read))

    def poll(self, user: UUID) -> Waiting | Admitted:
        return self._told(user, self.room.status(self.event_id, user))

    def _told(self, user: UUID, place: Waiting | Admitted) -> Waiting | Admitted:
        if isinstance(place, Waiting):
            signed = self._signer.sign(self.event_id, user, Ticket(place.standing, microseconds(self.now)))
            assert signed
            self.tickets[user] = signed
        return place

    def tick(self) -> tuple[UUID, ...]:
        self.now += SECOND
        return tuple(user for moved in self.admission.tick([self.event_id], self.now) for user in moved.admitted)

    def forget(self) -> None:
        self.redis.flushall()


@pytest.fixture
def crowd(any_redis: Callable[[], Client]) -> Crowd:
    return Crowd(any_redis(), uuid4())


def test_the_line_is_rebuilt_in_the_old_order_whoever_comes_back_first(crowd: Crowd) -> None:
    users = [uuid4() for _ in range(40)]
    for user in users:
        crowd.enter(user)
    crowd.forget()
    crowd.now += 3 * SECOND
    for user in reversed(users):
        place = crowd.enter(user)
        assert isinstance(place, Waiting)
        assert place.how == "RETURNED"
    assert [crowd.poll(user).ahead for user in users] == list(range(40))  # type: ignore[union-attr]


def test_who_comes_new_stands_behind_all_who_come_back(crowd: Crowd) -> None:
    old, new = [uuid4() for _ in range(5)], [uuid4() for _ in range(3)]
    for user in old:
        crowd.enter(user)
    crowd.forget()
    crowd.now += SECOND
    for user in (*new, *old):
        crowd.enter(user)
    assert [crowd.poll(user).ahead for user in (*old, *new)] == list(range(8))  # type: ignore[union-attr]


def test_nobody_is_let_in_until_all_have_had_time_to_come_back(crowd: Crowd) -> None:
    users = [uuid4() for _ in range(20)]
    for user in users:
        crowd.enter(user)
    crowd.forget()
    crowd.now += SECOND
    crowd.enter(users[15])  # the first to notice
    assert crowd.tick() == ()
    for user in users:
        crowd.enter(user)
    let_in: list[UUID] = []
    before = crowd.now
    while not let_in:
        let_in += crowd.tick()
    assert timedelta(0) < crowd.now - before <= GATHER
    assert let_in == users[:10]


def test_who_was_let_in_before_does_not_get_in_again_on_his_old_place(crowd: Crowd) -> None:
    users = [uuid4() for _ in range(30)]
    for user in users:
        crowd.enter(user)
    let_in = crowd.tick()
    assert list(let_in) == users[:10]
    for user in users[10:]:
        crowd.poll(user)  # and so learns how far the line has come
    crowd.forget()
    crowd.now += SECOND
    for user in (*users[10:], *users[:10]):
        crowd.enter(user)
    assert [crowd.poll(user).ahead for user in (*users[10:], *users[:10])] == list(range(30))  # type: ignore[union-attr]


def test_who_was_let_in_before_lines_up_anew_even_if_he_comes_back_first(crowd: Crowd) -> None:
    users = [uuid4() for _ in range(30)]
    for user in users:
        crowd.enter(user)
    assert list(crowd.tick()) == users[:10]
    for user in users[10:]:
        crowd.poll(user)
    crowd.forget()
    crowd.now += SECOND
    for user in users:  # those who were let in hold tickets from before that
        crowd.enter(user)
    for user in users[:10]:
        with pytest.raises(DomainError) as refused:
            crowd.poll(user)
        assert refused.value.code == "NOT_IN_QUEUE"
        crowd.enter(user)
    assert [crowd.poll(user).ahead for user in (*users[10:], *users[:10])] == list(range(30))  # type: ignore[union-attr]
    assert crowd.redis.zcard(seen_key(crowd.event_id)) == 30


def test_a_full_line_has_room_for_those_who_stood_in_it(any_redis: Callable[[], Client]) -> None:
    crowd = Crowd(any_redis(), uuid4(), capacity=3)
    old, new = [uuid4() for _ in range(3)], [uuid4() for _ in range(4)]
    for user in old:
        crowd.enter(user)
    crowd.forget()
    crowd.now += SECOND
    for user in new[:3]:
        crowd.enter(user)
    places = [crowd.enter(user) for user in old]
    assert [place.how for place in places if isinstance(place, Waiting)] == ["RETURNED"] * 3
    with pytest.raises(DomainError) as refused:
        crowd.enter(new[3])
    assert refused.value.code == "QUEUE_FULL"
    assert [crowd.poll(user).ahead for user in (*old, *new[:3])] == list(range(6))  # type: ignore[union-attr]


def test_who_comes_back_late_has_his_place_though_others_were_let_in_meanwhile(crowd: Crowd) -> None:
    users, new = [uuid4() for _ in range(4)], [uuid4() for _ in range(15)]
    for user in users:
        crowd.enter(user)
    crowd.forget()
    crowd.now += SECOND
    crowd.enter(users[3])
    for user in new:
        crowd.enter(user)
    while not crowd.tick():
        pass
    served = crowd.room.serving(crowd.event_id).front
    for user in users[:3]:
        place = crowd.enter(user)
        assert isinstance(place, Waiting)
        assert place.how == "RETURNED"
    assert list(crowd.tick())[:3] == users[:3]
    assert crowd.room.serving(crowd.event_id).front >= served, "a front never goes back"


def test_a_late_ticket_is_used_once_too(crowd: Crowd) -> None:
    prompt, late = uuid4(), uuid4()
    crowd.enter(late)
    crowd.enter(prompt)
    old = crowd.tickets[late]
    crowd.forget()
    crowd.now += SECOND
    crowd.enter(prompt)
    new = [uuid4() for _ in range(40)]
    for user in new:
        crowd.enter(user)
    while not crowd.tick():
        pass
    crowd.enter(late)
    assert crowd.tick()[0] == late
    crowd.room.leave(crowd.event_id, late)
    again = crowd.enter(late, ticket=old)
    assert isinstance(again, Waiting)
    assert again.how == "TAKEN"


def test_who_got_in_on_a_new_place_does_not_get_in_again_on_his_old_one(crowd: Crowd) -> None:
    prompt, sly = uuid4(), uuid4()
    crowd.enter(sly)
    crowd.enter(prompt)
    old = crowd.tickets.pop(sly)
    crowd.forget()
    crowd.now += SECOND
    crowd.enter(prompt)
    crowd.enter(sly)
    while not crowd.tick():
        pass
    crowd.room.leave(crowd.event_id, sly)
    again = crowd.enter(sly, ticket=old)
    assert isinstance(again, Waiting)
    assert again.how == "TAKEN"


def test_a_place_is_taken_back_once(crowd: Crowd) -> None:
    first, second = uuid4(), uuid4()
    crowd.enter(first)
    crowd.enter(second)
    old = crowd.tickets[first]
    crowd.forget()
    crowd.now += SECOND
    crowd.enter(first)
    crowd.enter(second)
    for _ in range(12):
        crowd.tick()
    assert isinstance(crowd.poll(first), Admitted)
    crowd.room.leave(crowd.event_id, first)
    third = uuid4()
    crowd.enter(third)
    again = crowd.enter(first, ticket=old)
    assert isinstance(again, Waiting)
    assert (again.ahead, again.how) == (1, "TAKEN")


def test_a_ticket_means_nothing_while_redis_remembers(crowd: Crowd) -> None:
    first, second = uuid4(), uuid4()
    crowd.enter(first)
    crowd.enter(second)
    crowd.room.leave(crowd.event_id, first)
    again = crowd.enter(first)
    assert isinstance(again, Waiting)
    assert (again.ahead, again.how) == (1, "TAKEN")


@pytest.mark.parametrize("late", [timedelta(minutes=5), timedelta(hours=1)])
def test_a_ticket_is_good_as_long_as_a_waiter_may_go_unseen(crowd: Crowd, late: timedelta) -> None:
    prompt, tardy, new = uuid4(), uuid4(), uuid4()
    crowd.enter(tardy)
    crowd.enter(prompt)
    crowd.forget()
    crowd.now += SECOND
    crowd.enter(prompt)
    crowd.now += late
    crowd.poll(prompt)
    crowd.enter(new)
    place = crowd.enter(tardy)
    assert isinstance(place, Waiting)
    assert place.ahead == 2


def test_who_had_left_long_before_does_not_come_back_to_his_place(crowd: Crowd) -> None:
    gone, stayed = uuid4(), uuid4()
    crowd.enter(gone)
    crowd.enter(stayed)
    crowd.room.leave(crowd.event_id, gone)
    crowd.now += timedelta(minutes=6)
    crowd.poll(stayed)
    crowd.forget()
    crowd.now += SECOND
    crowd.enter(gone)
    crowd.enter(stayed)
    assert crowd.poll(stayed).ahead == 0  # type: ignore[union-attr]


def test_a_ticket_of_another_user_or_event_or_made_up_is_no_ticket(crowd: Crowd) -> None:
    owner, thief = uuid4(), uuid4()
    crowd.enter(owner)
    text = crowd.tickets[owner]
    signer = PlaceTickets(lambda: KEYS)
    assert signer.read(crowd.event_id, owner, text)
    assert signer.read(crowd.event_id, thief, text) is None
    assert signer.read(uuid4(), owner, text) is None
    for made_up in ("", "x", "가", "A" * 64, text[:-4], text + "AAAA"):
        assert signer.read(crowd.event_id, owner, made_up) is None
    raw = urlsafe_b64decode(text)
    for i in range(len(raw)):
        changed = raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :]
        assert signer.read(crowd.event_id, owner, urlsafe_b64encode(changed).decode()) is None


def test_a_new_key_signs_while_the_old_one_is_still_read() -> None:
    event_id, user = uuid4(), uuid4()
    old, new = b"old".ljust(32), b"new".ljust(32)
    place = Ticket(Standing(1, 2, 3), 7)
    text = PlaceTickets(lambda: [old]).sign(event_id, user, place)
    assert text
    assert PlaceTickets(lambda: [new, old]).read(event_id, user, text) == place
    assert PlaceTickets(lambda: [new]).read(event_id, user, text) is None
    assert PlaceTickets(list).sign(event_id, user, place) is None


def test_a_crash_of_redis_is_told_as_not_being_in_line(crowd: Crowd) -> None:
    user = uuid4()
    crowd.enter(user)
    crowd.forget()
    with pytest.raises(DomainError) as refused:
        crowd.poll(user)
    assert refused.value.code == "NOT_IN_QUEUE"
