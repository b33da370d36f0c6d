"""Admission in a real Redis: first in, first out, nobody twice, never above the rate, with any number of admitters."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from common.queue_tokens import RESERVATION, QueueTokens
from common.redis import Client, connect
from functions.admitter.admission import Admission
from functions.queue.line_store import LineStore
from functions.queue.waiting_room import Admitted, SaleTerms, Waiting
from tests.concurrently import concurrently


def in_line(redis: Client, event_id: UUID, count: int, rate: int = 10) -> list[UUID]:
    """`count` users in line, in order."""
    now = datetime.now(UTC)
    line = LineStore(redis)
    line.learn(
        SaleTerms(event_id, now - timedelta(hours=1), now + timedelta(hours=1), 10**6, rate, sold_out=False), now
    )
    users = [uuid4() for _ in range(count)]
    for user in users:
        assert isinstance(line.enter(event_id, user, now, accept_stale=True), Waiting)
    return users


def admitted(redis: Client, event_id: UUID, users: list[UUID]) -> list[bool]:
    line = LineStore(redis)
    return [isinstance(line.place(event_id, user), Admitted) for user in users]


def redis_second(redis: Client) -> int:
    seconds, _ = redis.time()
    return int(seconds)


def test_five_admitters_at_once_admit_ten_in_a_second_and_the_first_ten(redis_url: str, redis: Client) -> None:
    event_id = uuid4()
    users = in_line(redis, event_id, 200)
    admitters = [Admission(connect(redis_url, cluster=False), 600) for _ in range(5)]
    began = redis_second(redis)
    for _ in range(6):
        assert not [each for each in concurrently([each.tick for each in admitters]) if isinstance(each, Exception)]
    seconds = redis_second(redis) - began + 1
    let_in = admitted(redis, event_id, users)
    assert 10 <= sum(let_in) <= 10 * seconds
    assert let_in == sorted(let_in, reverse=True), "someone was let in before one who came first"


def test_every_second_admits_the_rate_while_people_wait(redis: Client) -> None:
    event_id = uuid4()
    users = in_line(redis, event_id, 40)
    admission = Admission(redis, 600)
    first = redis_second(redis) + 1
    let_in: Counter[int] = Counter()
    while redis_second(redis) < first + 3:  # the clock is Redis's own: there is none to pass in
        tick = admission.tick()
        let_in[tick.second] += tick.admitted
    assert [let_in[first + i] for i in range(3)] == [10, 10, 10]
    assert sum(admitted(redis, event_id, users)) == sum(let_in.values())


def test_an_admitted_user_holds_a_token_that_is_his_alone(redis: Client) -> None:
    event_id = uuid4()
    first, second = in_line(redis, event_id, 2)
    Admission(redis, 600).tick()
    place = LineStore(redis).place(event_id, first)
    assert isinstance(place, Admitted)
    assert timedelta(seconds=595) < place.left <= timedelta(seconds=600)
    QueueTokens(redis).check_reservation(place.token, first, event_id)
    other = LineStore(redis).place(event_id, second)
    assert isinstance(other, Admitted)
    assert other.token != place.token


def test_nobody_is_admitted_twice_by_admitters_that_race(redis_url: str, redis: Client) -> None:
    event_id = uuid4()
    users = in_line(redis, event_id, 30, rate=1000)
    admitters = [Admission(connect(redis_url, cluster=False), 600) for _ in range(8)]
    outcomes = concurrently([each.tick for each in admitters])
    assert sum(each.admitted for each in outcomes if not isinstance(each, Exception)) == 30
    assert all(admitted(redis, event_id, users))


def test_users_who_leave_between_look_and_script_are_not_admitted(redis: Client) -> None:
    event_id = uuid4()
    users = in_line(redis, event_id, 3)
    admission = Admission(redis, 600)
    LineStore(redis).leave(event_id, users[0])
    seconds, _ = redis.time()
    now_in, _ = admission._admit_first(event_id, users, int(seconds) * 1000)  # the look was taken before the leave
    assert now_in == 2
    assert admitted(redis, event_id, users) == [False, True, True]


def test_a_paused_line_admits_nobody(redis: Client) -> None:
    event_id = uuid4()
    in_line(redis, event_id, 3)
    redis.hset(f"queue:sale:{{{event_id}}}", "paused", "1")
    assert Admission(redis, 600).tick().admitted == 0


def test_an_admitter_whose_second_is_past_admits_nobody(redis: Client) -> None:
    event_id = uuid4()
    in_line(redis, event_id, 30)
    seconds, _ = redis.time()
    now_ms = int(seconds) * 1000
    admission = Admission(redis, 600)
    assert admission._advance(event_id, now_ms + 5000) == 10
    assert admission._advance(event_id, now_ms) == 0
    assert admission._advance(event_id, now_ms + 5999) == 0
    assert admission._advance(event_id, now_ms + 6000) == 10


@pytest.mark.parametrize("script", sorted(Path().glob("functions/*/lua/*.lua")), ids=lambda path: path.name)
def test_every_script_declares_its_keys_and_says_so(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!lua\n"), "without it an undeclared key passes on one node and fails on a cluster"
    assert "-- KEYS 1" in text
    assert "-- Result" in text


def test_tokens_of_another_user_event_or_step_open_nothing(redis: Client) -> None:
    event_id, reservation_id = uuid4(), uuid4()
    user, other = in_line(redis, event_id, 2)
    Admission(redis, 600).tick()
    place = LineStore(redis).place(event_id, user)
    assert isinstance(place, Admitted)
    tokens = QueueTokens(redis)
    payment = tokens.issue_payment(event_id, reservation_id, 600)

    def code(call: object) -> str:
        try:
            call()  # type: ignore[operator]
        except Exception as error:
            return str(error)
        return "accepted"

    assert code(lambda: tokens.check_reservation(None, user, event_id)) == "QUEUE_TOKEN_MISSING"
    assert code(lambda: tokens.check_reservation("qr_", user, event_id)) == "QUEUE_TOKEN_INVALID"
    forged = place.token[:-1] + ("A" if place.token[-1] != "A" else "B")
    assert code(lambda: tokens.check_reservation(forged, user, event_id)) == "QUEUE_TOKEN_INVALID"
    assert code(lambda: tokens.check_reservation(place.token, other, event_id)) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_reservation(place.token, user, uuid4())) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_reservation(payment, user, event_id)) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_payment(place.token, reservation_id)) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_payment(payment, uuid4())) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_payment(payment, reservation_id)) == "accepted"
    tokens.end(event_id, user, reservation_id)
    assert code(lambda: tokens.check_payment(payment, reservation_id)) == "QUEUE_TOKEN_INVALID"
    assert code(lambda: tokens.check(place.token, RESERVATION)) == "QUEUE_TOKEN_INVALID"


def test_leaving_kills_the_token_in_hand(redis: Client) -> None:
    event_id = uuid4()
    (user,) = in_line(redis, event_id, 1)
    Admission(redis, 600).tick()
    line = LineStore(redis)
    place = line.place(event_id, user)
    assert isinstance(place, Admitted)
    line.leave(event_id, user)
    assert line.place(event_id, user) is None
    assert redis.get(f"queue:token:{{{event_id}}}:qr:{user}") is None
