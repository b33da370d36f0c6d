"""Admission in a real Redis: first in, first out, no user twice, never above the rate, with any number of admitters."""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from common.domain.ids import EventId, ReservationId, UserId
from common.stores.redis import Client, connect
from common.waitingroom.queue_keys import LIVE_QUEUES, held_seats_key, last_seen_key, queue_key, sale_key
from common.waitingroom.queue_tokens import RESERVATION, QueueTokens, token_key
from functions.admitter.adapters.admission_redis import KEPT_AFTER_CLOSE, MOST_DROPPED, AdmissionRedis
from functions.admitter.domain.admission import AdmissionPolicy, QueueShare
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.domain.queue_status import Admitted, Waiting
from tests.support.concurrently import concurrently
from tests.support.fixtures.admitter_process import admit_forever
from tests.support.fixtures.round_trips import RoundTrips, round_trips
from tests.support.fixtures.waiting_room import NOW, new_event, sale, waiting_users

__all__ = ["round_trips"]
NewClient = Callable[[], Client]
ROOT = Path(__file__).parents[2]
SECOND = timedelta(seconds=1)


def admitted(redis: Client, event_id: EventId, users: Sequence[UserId]) -> list[bool]:
    return [bool(redis.exists(token_key(RESERVATION, event_id, user))) for user in users]


def admitted_count(admission: AdmissionRedis, event_id: EventId, seconds: float) -> int:
    """How many users a tick admits, so many seconds after NOW."""
    return sum(len(move.admitted) for move in admission.tick([event_id], NOW + seconds * SECOND))


def largest_excess(rate: int, times: Sequence[float]) -> float:
    """By how much admissions at these times (s, sorted) exceed the rate and a second's burst, in the worst window."""
    return max(
        (j - i + 1 - rate * (times[j] - times[i]) - rate for j in range(len(times)) for i in range(j + 1)),
        default=0.0,
    )


# -- the rate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 3, 10])
def test_ticks_at_irregular_times_admit_exactly_the_rate(any_redis: NewClient, rate: int) -> None:
    """Two admitters' ticks over a minute: each on its own half seconds, up to 200 ms late, one absent for a while."""
    redis, event_id, rng = any_redis(), new_event(), random.Random(rate)
    waiting_users(redis, event_id, rate * 70, rate, NOW)
    admission = AdmissionRedis(redis, AdmissionPolicy())
    ticks = sorted(
        (k / 2 + phase + rng.uniform(0, 0.2), phase)
        for phase in (0.0, 0.31)
        for k in range(120)
        if not (phase and 40 < k < 80)
    )
    times = [at for at, _ in ticks for _ in range(admitted_count(admission, event_id, at))]
    assert largest_excess(rate, times) <= (0.5 if rate == 1 else 1e-3)
    by_second = Counter(int(at) for at in times)
    assert by_second == dict.fromkeys(range(60), rate)


def test_a_late_tick_and_the_next_one_do_not_exceed_the_rate(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    waiting_users(redis, event_id, 40, now=NOW)
    admission = AdmissionRedis(redis, AdmissionPolicy())
    assert [admitted_count(admission, event_id, at) for at in (0.9, 1.0, 1.5, 1.9, 2.0)] == [10, 1, 5, 4, 1]


def test_a_clock_that_goes_back_admits_no_user_until_it_has_caught_up(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    waiting_users(redis, event_id, 40, now=NOW)
    admission = AdmissionRedis(redis, AdmissionPolicy())
    assert [admitted_count(admission, event_id, at) for at in (5, 0, 4.9, 5.5, 6)] == [10, 0, 0, 0, 10]


def test_a_changed_rate_applies_from_the_next_second(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    waiting_users(redis, event_id, 80, now=NOW)
    admission, queue = AdmissionRedis(redis, AdmissionPolicy()), QueueRedis(redis)
    assert admitted_count(admission, event_id, 0) == 10
    queue.update_settings(event_id, 25, None)
    assert [admitted_count(admission, event_id, at) for at in (1, 2)] == [25, 25]
    queue.update_settings(event_id, 2, paused=True)
    assert admitted_count(admission, event_id, 3) == 0
    queue.update_settings(event_id, None, paused=False)
    assert [admitted_count(admission, event_id, at) for at in (4, 5)] == [2, 2]


def test_five_admitters_at_once_admit_the_first_ten_of_a_second(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    users = waiting_users(redis, event_id, 200, now=NOW)
    admitters = [AdmissionRedis(any_redis(), AdmissionPolicy()) for _ in range(5)]
    for second in range(6):
        at = NOW + second * SECOND
        assert not [
            e for e in concurrently([partial(a.tick, [event_id], at) for a in admitters]) if isinstance(e, Exception)
        ]
        assert admitted(redis, event_id, users) == [i < 10 * (second + 1) for i in range(200)]


def test_no_user_is_admitted_twice_by_concurrent_admitters(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    users = waiting_users(redis, event_id, 30, rate=1000, now=NOW)
    admitters = [AdmissionRedis(any_redis(), AdmissionPolicy()) for _ in range(5)]
    outcomes = concurrently([partial(each.tick, [event_id], NOW) for each in admitters])
    names = [user for move in outcomes if not isinstance(move, Exception) for each in move for user in each.admitted]
    assert sorted(names) == sorted(users)
    assert all(admitted(redis, event_id, users))


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("cluster", "admitters"), [(False, 1), (False, 2), (False, 5), (True, 5)])
def test_admitters_killed_and_restarted_on_skewed_clocks_keep_to_the_rate_and_the_order(
    request: pytest.FixtureRequest, cluster: bool, admitters: int
) -> None:
    """Each admitter is a process. The expiry of a token in Redis shows when the token was issued."""
    url = request.getfixturevalue("redis_cluster_url" if cluster else "redis_url")
    redis = connect(url, cluster=cluster)
    redis.flushall()
    event_id, rng, rate = new_event(), random.Random(admitters), 10
    users = waiting_users(redis, event_id, 200, rate)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.support.fixtures.admitter_process"])

    def start() -> multiprocessing.process.BaseProcess:
        arguments = (url, cluster, rng.uniform(-2, 2), event_id)
        process = processes.Process(target=admit_forever, args=arguments, daemon=True)
        process.start()
        return process

    running = [start() for _ in range(admitters)]
    try:
        deadline, before = time.monotonic() + 90, 0
        while (admitted_so_far := int(redis.hget(sale_key(event_id), "admitted") or 0)) < 60:
            assert time.monotonic() < deadline
            time.sleep(rng.uniform(0.1, 0.6))
            if admitted_so_far == before:
                continue  # a machine busy with other tests may take seconds to start a process
            before = admitted_so_far
            number = rng.randrange(admitters)
            running[number].kill()
            running[number].join(10)
            running[number] = start()
    finally:
        for process in running:
            process.kill()
            process.join(10)
    ends = [redis.pexpiretime(token_key(RESERVATION, event_id, user)) for user in users]
    redis.close()
    in_order = [end for end in ends if end > 0]
    assert in_order == sorted(in_order), "a user was admitted before one who came first"
    assert ends[len(in_order) :] == [-2] * (200 - len(in_order)), "a user was skipped"
    times = [end / 1000 for end in in_order]
    assert largest_excess(rate, times) <= 0.011, "token expiries are in whole milliseconds"
    assert max(Counter(int(at) for at in times).values()) <= rate


# -- the first users of a queue -------------------------------------------------------------------------------------


def test_each_admitted_user_has_a_different_token(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    first, second = waiting_users(redis, event_id, 2)
    AdmissionRedis(redis, AdmissionPolicy()).tick([event_id])
    status, other = (QueueRedis(redis).read_status(event_id, user, NOW) for user in (first, second))
    assert isinstance(status, Admitted)
    assert timedelta(seconds=595) < status.expires_in <= timedelta(seconds=600)
    QueueTokens(redis).check_reservation(status.token, first, event_id)
    assert isinstance(other, Admitted)
    assert other.token != status.token


def test_users_who_leave_between_two_ticks_do_not_lower_the_number_admitted(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    users = waiting_users(redis, event_id, 100, now=NOW)
    admission, queue = AdmissionRedis(redis, AdmissionPolicy()), QueueRedis(redis)
    assert admitted_count(admission, event_id, 0) == 10
    for user in users[10:45]:  # more than the next users that the last reply named
        queue.leave(event_id, user)
    assert admitted_count(admission, event_id, 1) == 10
    assert admitted(redis, event_id, users[45:60]) == [True] * 10 + [False] * 5


def test_a_tick_of_queues_whose_first_users_are_known_is_one_round_trip(
    any_redis: NewClient, round_trips: RoundTrips
) -> None:
    redis, events = any_redis(), [new_event() for _ in range(30)]
    for event_id in events:
        waiting_users(redis, event_id, 25, now=NOW)
    admission = AdmissionRedis(redis, AdmissionPolicy())
    admission.tick(events, NOW)
    with round_trips as rounds:
        move = admission.tick(events, NOW + SECOND)
    assert rounds.count == 1
    assert sum(len(each.admitted) for each in move) == 300


def test_the_highest_rate_an_operator_can_set_is_reached(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    waiting_users(redis, event_id, 2100, rate=1000, now=NOW)
    admission = AdmissionRedis(redis, AdmissionPolicy())
    assert [admitted_count(admission, event_id, at) for at in (0, 1, 2)] == [1000, 1000, 100]


# -- dropped users ----------------------------------------------------------------------------------------------------


def test_a_user_without_a_poll_for_the_grace_time_is_dropped_and_one_with_polls_stays(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    quiet, polling = waiting_users(redis, event_id, 2, now=NOW)
    queue, admission = QueueRedis(redis), AdmissionRedis(redis, AdmissionPolicy())
    queue.update_settings(event_id, None, paused=True)
    dropped: dict[UserId, int] = {}
    for second in range(0, 700, 5):
        now = NOW + second * SECOND
        queue.read_status(event_id, polling, now)
        dropped |= {user: second for move in admission.tick([event_id], now) for user in move.dropped}
    assert list(dropped) == [quiet]
    assert 300 <= dropped[quiet] <= 335, "a short network outage is tolerated, a closed browser is not"
    assert queue.read_status(event_id, quiet, now) is None
    assert isinstance(queue.read_status(event_id, polling, now), Waiting)


@pytest.mark.parametrize("request_kind", ["status", "enter"])
def test_a_user_who_polls_while_sold_out_keeps_the_place_when_seats_become_free(
    any_redis: NewClient, request_kind: str
) -> None:
    redis, event_id = any_redis(), new_event()
    quiet, polling = waiting_users(redis, event_id, 2, now=NOW)
    queue, admission = QueueRedis(redis), AdmissionRedis(redis, AdmissionPolicy())
    queue.write_sale_terms(sale(event_id, sold_out=True), NOW)
    for second in range(0, 700, 20):
        now = NOW + second * SECOND
        if request_kind == "status":
            queue.read_status(event_id, polling, now)
        else:
            queue.enter(event_id, polling, now, None, accept_stale=True)
        admission.tick([event_id], now)
    queue.write_sale_terms(sale(event_id), now)
    assert queue.read_status(event_id, quiet, now) is None
    status = queue.read_status(event_id, polling, now)
    assert isinstance(status, Waiting)
    assert status.ahead == 0


def test_a_tick_drops_a_bounded_number_of_users(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    waiting_users(redis, event_id, MOST_DROPPED + 50, now=NOW)
    QueueRedis(redis).update_settings(event_id, None, paused=True)
    admission = AdmissionRedis(redis, AdmissionPolicy())
    late = NOW + timedelta(minutes=6)
    assert [len(admission.tick([event_id], late + i * SECOND)[0].dropped) for i in range(3)] == [MOST_DROPPED, 50, 0]
    assert redis.zcard(queue_key(event_id)) == redis.zcard(last_seen_key(event_id)) == 0


def test_few_polls_write_to_redis(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    (user,) = waiting_users(redis, event_id, 1, now=NOW)
    queue, recorded = QueueRedis(redis), set()
    for second in range(0, 120, 5):
        queue.read_status(event_id, user, NOW + second * SECOND)
        recorded.add(redis.zscore(last_seen_key(event_id), str(user)))
    assert len(recorded) == 4


# -- when no user is admitted ----------------------------------------------------------------------------------------


def test_a_paused_queue_admits_no_users(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    waiting_users(redis, event_id, 3, now=NOW)
    QueueRedis(redis).update_settings(event_id, None, paused=True)
    assert admitted_count(AdmissionRedis(redis, AdmissionPolicy()), event_id, 0) == 0


@pytest.mark.parametrize(
    "terms", [{"sold_out": True}, {"closes": timedelta(seconds=1)}, {"opens": timedelta(minutes=1)}]
)
def test_a_queue_whose_sale_is_over_or_not_open_admits_no_users(any_redis: NewClient, terms: dict[str, object]) -> None:
    redis, event_id = any_redis(), new_event()
    waiting_users(redis, event_id, 3, now=NOW)
    QueueRedis(redis).write_sale_terms(sale(event_id, **terms), NOW)  # type: ignore[arg-type]
    assert admitted_count(AdmissionRedis(redis, AdmissionPolicy()), event_id, 2) == 0


def test_admission_that_follows_seats_waits_while_every_seat_left_is_held(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    waiting_users(redis, event_id, 20, now=NOW)
    queue, follows = QueueRedis(redis), AdmissionRedis(redis, AdmissionPolicy(follow_seats=True))
    queue.write_sale_terms(sale(event_id, seats_left=3), NOW)
    now_ms = NOW.timestamp() * 1000
    for seat in range(3):
        redis.zadd(held_seats_key(event_id), {f"seat-{seat}": now_ms + 5000 * (seat + 1)})
    assert [admitted_count(follows, event_id, at) for at in (0, 4)] == [0, 0]
    assert admitted_count(follows, event_id, 6) == 1, "one hold has ended: one seat is free"
    assert admitted_count(AdmissionRedis(redis, AdmissionPolicy()), event_id, 7) == 10, (
        "an admitter that does not follow seats admits"
    )


def test_terms_of_queues_with_waiting_users_are_due_every_two_seconds(
    any_redis: NewClient,
) -> None:
    redis, busy, empty = any_redis(), new_event(), new_event()
    waiting_users(redis, busy, 100, rate=1, now=NOW)
    waiting_users(redis, empty, 0, now=NOW)
    admitters = [AdmissionRedis(redis, AdmissionPolicy()) for _ in range(2)]
    due = [
        move.event_id
        for second in range(1, 11)
        for admission in admitters
        for move in admission.tick([busy, empty], NOW + second * SECOND)
        if move.terms_due
    ]
    assert due == [busy] * 5


# -- many queues ------------------------------------------------------------------------------------------------------


def test_shares_cover_every_queue_once() -> None:
    queues = [new_event() for _ in range(500)]
    for of in (1, 2, 3, 7):
        assert all(sum(event_id in QueueShare(number, of) for number in range(of)) == 1 for event_id in queues)


def test_a_broken_queue_does_not_stop_the_others(any_redis: NewClient) -> None:
    redis, good, broken = any_redis(), new_event(), new_event()
    waiting_users(redis, good, 3, now=NOW)
    redis.set(sale_key(broken), "not a hash")
    assert total_admitted(AdmissionRedis(redis, AdmissionPolicy()), [broken, good]) == 3


def total_admitted(admission: AdmissionRedis, queues: list[EventId]) -> int:
    return sum(len(move.admitted) for move in admission.tick(queues, NOW))


def test_a_queue_closed_long_ago_leaves_no_keys(any_redis: NewClient) -> None:
    redis, event_id, other = any_redis(), new_event(), new_event()
    waiting_users(redis, event_id, 30, now=NOW)
    waiting_users(redis, other, 1, now=NOW + timedelta(hours=8))
    admission = AdmissionRedis(redis, AdmissionPolicy())
    admission.tick([event_id])
    closed = NOW + timedelta(hours=5)
    assert admission.delete_closed_queues(closed + KEPT_AFTER_CLOSE - SECOND) == 0
    assert admission.delete_closed_queues(closed + KEPT_AFTER_CLOSE) == 1
    assert redis.zrange(LIVE_QUEUES, 0, -1) == [str(other)]
    left = list(redis.scan_iter(match=f"*{event_id}*"))
    assert all(":qr:" in key for key in left), "reservation tokens expire on their own"


@pytest.mark.parametrize(
    "script",
    sorted((*ROOT.glob("functions/**/lua/*.lua"), *ROOT.glob("layers/common/python/common/**/lua/*.lua"))),
    ids=lambda path: path.name,
)
def test_every_script_declares_and_documents_its_keys(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!lua\n"), "without it an undeclared key passes on one node and fails on a cluster"
    assert "-- KEYS " in text
    assert "-- Result" in text
    # What ElastiCache Serverless rejects in a script, or anywhere.
    assert not [name for name in ("TIME", "KEYS", "WAIT", "OBJECT", "MEMORY", "FUNCTION") if f"call('{name}'" in text]


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_tokens_of_another_user_event_or_step_are_rejected(any_redis: NewClient) -> None:
    redis, event_id, reservation_id = any_redis(), new_event(), ReservationId(uuid4())
    user, other = waiting_users(redis, event_id, 2)
    AdmissionRedis(redis, AdmissionPolicy()).tick([event_id])
    status = QueueRedis(redis).read_status(event_id, user, NOW)
    assert isinstance(status, Admitted)
    tokens = QueueTokens(redis)
    payment, _ = tokens.payment_token(event_id, reservation_id, 600)

    def code(call: object) -> str:
        try:
            call()  # type: ignore[operator]
        except Exception as error:
            return str(error)
        return "accepted"

    assert code(lambda: tokens.check_reservation(None, user, event_id)) == "QUEUE_TOKEN_MISSING"
    assert code(lambda: tokens.check_reservation("qr_", user, event_id)) == "QUEUE_TOKEN_INVALID"
    forged = status.token[:-1] + ("A" if status.token[-1] != "A" else "B")
    assert code(lambda: tokens.check_reservation(forged, user, event_id)) == "QUEUE_TOKEN_INVALID"
    assert code(lambda: tokens.check_reservation(status.token, other, event_id)) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_reservation(status.token, user, new_event())) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_reservation(payment, user, event_id)) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_payment(status.token, reservation_id)) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_payment(payment, ReservationId(uuid4()))) == "QUEUE_TOKEN_MISMATCH"
    assert code(lambda: tokens.check_payment(payment, reservation_id)) == "accepted"
    tokens.end(event_id, user, reservation_id)
    assert code(lambda: tokens.check_payment(payment, reservation_id)) == "QUEUE_TOKEN_INVALID"
    assert code(lambda: tokens.check(status.token, RESERVATION)) == "QUEUE_TOKEN_INVALID"


def test_a_token_is_checked_in_one_round_trip(any_redis: NewClient, round_trips: RoundTrips) -> None:
    redis, event_id = any_redis(), new_event()
    (user,) = waiting_users(redis, event_id, 1)
    AdmissionRedis(redis, AdmissionPolicy()).tick([event_id])
    status = QueueRedis(redis).read_status(event_id, user, NOW)
    assert isinstance(status, Admitted)
    with round_trips as rounds:
        QueueTokens(redis).check_reservation(status.token, user, event_id)
    assert rounds.count == 1


def test_leaving_ends_the_reservation_token(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), new_event()
    (user,) = waiting_users(redis, event_id, 1)
    AdmissionRedis(redis, AdmissionPolicy()).tick([event_id])
    queue = QueueRedis(redis)
    assert isinstance(queue.read_status(event_id, user, NOW), Admitted)
    queue.leave(event_id, user)
    assert queue.read_status(event_id, user, NOW) is None
    assert redis.get(token_key(RESERVATION, event_id, user)) is None
