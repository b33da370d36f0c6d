"""Redis restarts empty during a sale: the queue returns in the old order, and no user is admitted twice."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta

import pytest

from common.domain.clock import microseconds
from common.domain.ids import EventId, UserId
from common.domain.shared_errors import DomainError
from common.stores.redis import Client
from common.waitingroom.queue_keys import last_seen_key
from functions.admitter.adapters.admission_redis import AdmissionRedis
from functions.admitter.domain.admission import AdmissionPolicy
from functions.queue.adapters.queue_redis import RETURN_PERIOD, QueueRedis
from functions.queue.domain.place_receipt import PlaceReceipt, PlaceReceiptSigner, QueuePosition
from functions.queue.domain.queue_status import Admitted, Waiting
from tests.support.fixtures.waiting_room import NOW, FakeEvents, WaitingRoom, new_event, new_user, sale

SECOND = timedelta(seconds=1)
KEYS = [b"the key of this test".ljust(32)]


class Crowd:
    """Users who poll, each with their last place receipt, and the clock they share."""

    def __init__(self, redis: Client, event_id: EventId, rate: int = 10, capacity: int = 100_000) -> None:
        self.redis = redis
        self.event_id = event_id
        self.now = NOW
        events = FakeEvents(sale(event_id, rate=rate, capacity=capacity))
        self.room = WaitingRoom(QueueRedis(redis), events, lambda: self.now)
        self.admission = AdmissionRedis(redis, AdmissionPolicy())
        self.receipts: dict[UserId, str] = {}
        self._signer = PlaceReceiptSigner(lambda: KEYS)

    def enter(self, user: UserId, *, receipt: str | None = None) -> Waiting | Admitted:
        text = receipt or self.receipts.get(user)
        read = self._signer.read(self.event_id, user, text) if text else None
        return self._remember(user, self.room.enter(self.event_id, user, read))

    def poll(self, user: UserId) -> Waiting | Admitted:
        return self._remember(user, self.room.status(self.event_id, user))

    def _remember(self, user: UserId, place: Waiting | Admitted) -> Waiting | Admitted:
        if isinstance(place, Waiting):
            signed = self._signer.sign(self.event_id, user, PlaceReceipt(place.position, microseconds(self.now)))
            assert signed
            self.receipts[user] = signed
        return place

    def tick(self) -> tuple[UserId, ...]:
        self.now += SECOND
        return tuple(user for move in self.admission.tick([self.event_id], self.now) for user in move.admitted)

    def empty_redis(self) -> None:
        self.redis.flushall()


@pytest.fixture
def crowd(any_redis: Callable[[], Client]) -> Crowd:
    return Crowd(any_redis(), new_event())


def test_the_queue_is_rebuilt_in_the_old_order_if_users_return_in_another(crowd: Crowd) -> None:
    users = [new_user() for _ in range(40)]
    for user in users:
        crowd.enter(user)
    crowd.empty_redis()
    crowd.now += 3 * SECOND
    for user in reversed(users):
        place = crowd.enter(user)
        assert isinstance(place, Waiting)
        assert place.outcome == "RETURNED"
    assert [crowd.poll(user).ahead for user in users] == list(range(40))  # type: ignore[union-attr]


def test_new_users_wait_behind_all_who_return(crowd: Crowd) -> None:
    old, new = [new_user() for _ in range(5)], [new_user() for _ in range(3)]
    for user in old:
        crowd.enter(user)
    crowd.empty_redis()
    crowd.now += SECOND
    for user in (*new, *old):
        crowd.enter(user)
    assert [crowd.poll(user).ahead for user in (*old, *new)] == list(range(8))  # type: ignore[union-attr]


def test_no_user_is_admitted_until_all_have_had_time_to_return(crowd: Crowd) -> None:
    users = [new_user() for _ in range(20)]
    for user in users:
        crowd.enter(user)
    crowd.empty_redis()
    crowd.now += SECOND
    crowd.enter(users[15])  # the first to return
    assert crowd.tick() == ()
    for user in users:
        crowd.enter(user)
    admitted: list[UserId] = []
    before = crowd.now
    while not admitted:
        admitted += crowd.tick()
    assert timedelta(0) < crowd.now - before <= RETURN_PERIOD
    assert admitted == users[:10]


def test_an_admitted_user_is_not_admitted_again_on_an_old_place(crowd: Crowd) -> None:
    users = [new_user() for _ in range(30)]
    for user in users:
        crowd.enter(user)
    admitted = crowd.tick()
    assert list(admitted) == users[:10]
    for user in users[10:]:
        crowd.poll(user)  # their new receipts say how far the queue has come
    crowd.empty_redis()
    crowd.now += SECOND
    for user in (*users[10:], *users[:10]):
        crowd.enter(user)
    assert [crowd.poll(user).ahead for user in (*users[10:], *users[:10])] == list(range(30))  # type: ignore[union-attr]


def test_an_admitted_user_who_returns_first_must_enter_again(crowd: Crowd) -> None:
    users = [new_user() for _ in range(30)]
    for user in users:
        crowd.enter(user)
    assert list(crowd.tick()) == users[:10]
    for user in users[10:]:
        crowd.poll(user)
    crowd.empty_redis()
    crowd.now += SECOND
    for user in users:  # the admitted users' receipts are from before their admission
        crowd.enter(user)
    for user in users[:10]:
        with pytest.raises(DomainError) as rejected:
            crowd.poll(user)
        assert rejected.value.code == "NOT_IN_QUEUE"
        crowd.enter(user)
    assert [crowd.poll(user).ahead for user in (*users[10:], *users[:10])] == list(range(30))  # type: ignore[union-attr]
    assert crowd.redis.zcard(last_seen_key(crowd.event_id)) == 30


def test_a_full_queue_has_room_for_users_who_had_a_place(any_redis: Callable[[], Client]) -> None:
    crowd = Crowd(any_redis(), new_event(), capacity=3)
    old, new = [new_user() for _ in range(3)], [new_user() for _ in range(4)]
    for user in old:
        crowd.enter(user)
    crowd.empty_redis()
    crowd.now += SECOND
    for user in new[:3]:
        crowd.enter(user)
    places = [crowd.enter(user) for user in old]
    assert [place.outcome for place in places if isinstance(place, Waiting)] == ["RETURNED"] * 3
    with pytest.raises(DomainError) as rejected:
        crowd.enter(new[3])
    assert rejected.value.code == "QUEUE_FULL"
    assert [crowd.poll(user).ahead for user in (*old, *new[:3])] == list(range(6))  # type: ignore[union-attr]


def test_a_late_user_gets_the_old_place_although_others_were_admitted_meanwhile(crowd: Crowd) -> None:
    users, new = [new_user() for _ in range(4)], [new_user() for _ in range(15)]
    for user in users:
        crowd.enter(user)
    crowd.empty_redis()
    crowd.now += SECOND
    crowd.enter(users[3])
    for user in new:
        crowd.enter(user)
    while not crowd.tick():
        pass
    front = crowd.room.serving_position(crowd.event_id).front
    for user in users[:3]:
        place = crowd.enter(user)
        assert isinstance(place, Waiting)
        assert place.outcome == "RETURNED"
    assert list(crowd.tick())[:3] == users[:3]
    assert crowd.room.serving_position(crowd.event_id).front >= front, "a front never goes back"


def test_a_late_receipt_is_used_only_once(crowd: Crowd) -> None:
    early, late = new_user(), new_user()
    crowd.enter(late)
    crowd.enter(early)
    old = crowd.receipts[late]
    crowd.empty_redis()
    crowd.now += SECOND
    crowd.enter(early)
    new = [new_user() for _ in range(40)]
    for user in new:
        crowd.enter(user)
    while not crowd.tick():
        pass
    crowd.enter(late)
    assert crowd.tick()[0] == late
    crowd.room.leave(crowd.event_id, late)
    again = crowd.enter(late, receipt=old)
    assert isinstance(again, Waiting)
    assert again.outcome == "TAKEN"


def test_a_user_admitted_on_a_new_place_cannot_use_the_old_one(crowd: Crowd) -> None:
    early, returning = new_user(), new_user()
    crowd.enter(returning)
    crowd.enter(early)
    old = crowd.receipts.pop(returning)
    crowd.empty_redis()
    crowd.now += SECOND
    crowd.enter(early)
    crowd.enter(returning)
    while not crowd.tick():
        pass
    crowd.room.leave(crowd.event_id, returning)
    again = crowd.enter(returning, receipt=old)
    assert isinstance(again, Waiting)
    assert again.outcome == "TAKEN"


def test_a_place_is_returned_once(crowd: Crowd) -> None:
    first, second = new_user(), new_user()
    crowd.enter(first)
    crowd.enter(second)
    old = crowd.receipts[first]
    crowd.empty_redis()
    crowd.now += SECOND
    crowd.enter(first)
    crowd.enter(second)
    for _ in range(12):
        crowd.tick()
    assert isinstance(crowd.poll(first), Admitted)
    crowd.room.leave(crowd.event_id, first)
    third = new_user()
    crowd.enter(third)
    again = crowd.enter(first, receipt=old)
    assert isinstance(again, Waiting)
    assert (again.ahead, again.outcome) == (1, "TAKEN")


def test_a_receipt_has_no_effect_while_redis_has_the_queue(crowd: Crowd) -> None:
    first, second = new_user(), new_user()
    crowd.enter(first)
    crowd.enter(second)
    crowd.room.leave(crowd.event_id, first)
    again = crowd.enter(first)
    assert isinstance(again, Waiting)
    assert (again.ahead, again.outcome) == (1, "TAKEN")


@pytest.mark.parametrize("late", [timedelta(minutes=5), timedelta(hours=1)])
def test_a_receipt_is_valid_as_long_as_a_user_may_go_without_a_poll(crowd: Crowd, late: timedelta) -> None:
    early, late_user, new = new_user(), new_user(), new_user()
    crowd.enter(late_user)
    crowd.enter(early)
    crowd.empty_redis()
    crowd.now += SECOND
    crowd.enter(early)
    crowd.now += late
    crowd.poll(early)
    crowd.enter(new)
    place = crowd.enter(late_user)
    assert isinstance(place, Waiting)
    assert place.ahead == 2


def test_a_user_who_left_long_before_does_not_get_the_old_place(crowd: Crowd) -> None:
    leaver, stayed = new_user(), new_user()
    crowd.enter(leaver)
    crowd.enter(stayed)
    crowd.room.leave(crowd.event_id, leaver)
    crowd.now += timedelta(minutes=6)
    crowd.poll(stayed)
    crowd.empty_redis()
    crowd.now += SECOND
    crowd.enter(leaver)
    crowd.enter(stayed)
    assert crowd.poll(stayed).ahead == 0  # type: ignore[union-attr]


def test_a_receipt_of_another_user_or_event_or_a_forged_one_is_invalid(crowd: Crowd) -> None:
    owner, other = new_user(), new_user()
    crowd.enter(owner)
    text = crowd.receipts[owner]
    signer = PlaceReceiptSigner(lambda: KEYS)
    assert signer.read(crowd.event_id, owner, text)
    assert signer.read(crowd.event_id, other, text) is None
    assert signer.read(new_event(), owner, text) is None
    for forged in ("", "x", "가", "A" * 64, text[:-4], text + "AAAA"):
        assert signer.read(crowd.event_id, owner, forged) is None
    raw = urlsafe_b64decode(text)
    for i in range(len(raw)):
        changed = raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :]
        assert signer.read(crowd.event_id, owner, urlsafe_b64encode(changed).decode()) is None


def test_a_new_key_signs_while_the_old_one_is_still_read() -> None:
    event_id, user = new_event(), new_user()
    old, new = b"old".ljust(32), b"new".ljust(32)
    place = PlaceReceipt(QueuePosition(1, 2, 3), 7)
    text = PlaceReceiptSigner(lambda: [old]).sign(event_id, user, place)
    assert text
    assert PlaceReceiptSigner(lambda: [new, old]).read(event_id, user, text) == place
    assert PlaceReceiptSigner(lambda: [new]).read(event_id, user, text) is None
    assert PlaceReceiptSigner(list).sign(event_id, user, place) is None


def test_a_user_whose_queue_redis_lost_is_not_in_queue(crowd: Crowd) -> None:
    user = new_user()
    crowd.enter(user)
    crowd.empty_redis()
    with pytest.raises(DomainError) as rejected:
        crowd.poll(user)
    assert rejected.value.code == "NOT_IN_QUEUE"
