"""Admission in a real Redis: first in, first out, nobody twice, at the rate and never above, whoever admits."""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from common.stores.redis import Client, connect
from common.waitingroom.queue_keys import LIVE_LINES, held_seats_key, line_key, sale_key, seen_key
from common.waitingroom.queue_tokens import RESERVATION, QueueTokens, token_key
from functions.admitter.adapters.admission_redis import DROPPED, KEPT_AFTER_CLOSE, Admission, Policy, Share
from functions.queue.adapters.queue_redis import LineStore
from functions.queue.usecases.enter_queue import Admitted, Waiting
from tests.admitter_process import admit_for_ever
from tests.concurrently import concurrently
from tests.on_sale import NOW, in_line, sale
from tests.redis_rounds import RoundTrips, round_trips

__all__ = ["round_trips"]
NewClient = Callable[[], Client]
ROOT = Path(__file__).parents[2]
SECOND = timedelta(seconds=1)


def admitted(redis: Client, event_id: UUID, users: Sequence[UUID]) -> list[bool]:
    return [bool(redis.exists(token_key(RESERVATION, event_id, user))) for user in users]


def let_in(admission: Admission, event_id: UUID, seconds: float) -> int:
    """How many a tick lets in, so many seconds after NOW."""
    return sum(len(moved.admitted) for moved in admission.tick([event_id], NOW + seconds * SECOND))


def most_above(rate: int, moments: Sequence[float]) -> float:
    """By how much admissions at these moments (s, sorted) exceed the rate and a second's burst, in the worst window."""
    return max(
        (j - i + 1 - rate * (moments[j] - moments[i]) - rate for j in range(len(moments)) for i in range(j + 1)),
        default=0.0,
    )


# -- the rate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 3, 10])
def test_ticks_at_any_moments_never_exceed_the_rate_in_any_window_nor_fall_below_it(
    any_redis: NewClient, rate: int
) -> None:
    """Two admitters' ticks over a minute: each on its own half seconds, late by up to 200 ms, one away for a bit."""
    redis, event_id, chance = any_redis(), uuid4(), random.Random(rate)
    in_line(redis, event_id, rate * 70, rate, NOW)
    admission = Admission(redis, Policy())
    ticks = sorted(
        (k / 2 + phase + chance.uniform(0, 0.2), phase)
        for phase in (0.0, 0.31)
        for k in range(120)
        if not (phase and 40 < k < 80)
    )
    moments = [at for at, _ in ticks for _ in range(let_in(admission, event_id, at))]
    assert most_above(rate, moments) <= (0.5 if rate == 1 else 1e-3)
    by_second = Counter(int(moment) for moment in moments)
    assert by_second == dict.fromkeys(range(60), rate)


def test_a_late_tick_and_the_next_on_time_do_not_add_up(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    in_line(redis, event_id, 40, now=NOW)
    admission = Admission(redis, Policy())
    assert [let_in(admission, event_id, at) for at in (0.9, 1.0, 1.5, 1.9, 2.0)] == [10, 1, 5, 4, 1]


def test_a_clock_that_goes_back_admits_nobody_until_it_has_caught_up(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    in_line(redis, event_id, 40, now=NOW)
    admission = Admission(redis, Policy())
    assert [let_in(admission, event_id, at) for at in (5, 0, 4.9, 5.5, 6)] == [10, 0, 0, 0, 10]


def test_a_changed_rate_is_in_force_from_the_next_second(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    in_line(redis, event_id, 80, now=NOW)
    admission, line = Admission(redis, Policy()), LineStore(redis)
    assert let_in(admission, event_id, 0) == 10
    line.steer(event_id, 25, None)
    assert [let_in(admission, event_id, at) for at in (1, 2)] == [25, 25]
    line.steer(event_id, 2, paused=True)
    assert let_in(admission, event_id, 3) == 0
    line.steer(event_id, None, paused=False)
    assert [let_in(admission, event_id, at) for at in (4, 5)] == [2, 2]


def test_five_admitters_at_once_admit_the_first_ten_of_a_second(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    users = in_line(redis, event_id, 200, now=NOW)
    admitters = [Admission(any_redis(), Policy()) for _ in range(5)]
    for second in range(6):
        at = NOW + second * SECOND
        assert not [
            e for e in concurrently([partial(a.tick, [event_id], at) for a in admitters]) if isinstance(e, Exception)
        ]
        assert admitted(redis, event_id, users) == [i < 10 * (second + 1) for i in range(200)]


def test_nobody_is_admitted_twice_by_admitters_that_race(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    users = in_line(redis, event_id, 30, rate=1000, now=NOW)
    admitters = [Admission(any_redis(), Policy()) for _ in range(5)]
    outcomes = concurrently([partial(each.tick, [event_id], NOW) for each in admitters])
    names = [user for moved in outcomes if not isinstance(moved, Exception) for each in moved for user in each.admitted]
    assert sorted(names) == sorted(users)
    assert all(admitted(redis, event_id, users))


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("cluster", "admitters"), [(False, 1), (False, 2), (False, 5), (True, 5)])
def test_admitters_killed_and_restarted_on_skewed_clocks_keep_to_the_rate_and_the_order(
    request: pytest.FixtureRequest, cluster: bool, admitters: int
) -> None:
    """Processes, killed by the system. By Redis's own clock: when a token ends says when it was given."""
    url = request.getfixturevalue("redis_cluster_url" if cluster else "redis_url")
    redis = connect(url, cluster=cluster)
    redis.flushall()
    event_id, chance, rate = uuid4(), random.Random(admitters), 10
    users = in_line(redis, event_id, 200, rate)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.admitter_process"])

    def start() -> multiprocessing.process.BaseProcess:
        arguments = (url, cluster, chance.uniform(-2, 2), event_id)
        process = processes.Process(target=admit_for_ever, args=arguments, daemon=True)
        process.start()
        return process

    running = [start() for _ in range(admitters)]
    try:
        deadline, before = time.monotonic() + 90, 0
        while (let_in_so_far := int(redis.hget(sale_key(event_id), "admitted") or 0)) < 60:
            assert time.monotonic() < deadline
            time.sleep(chance.uniform(0.1, 0.6))
            if let_in_so_far == before:
                continue  # a machine busy with other tests may take seconds to start a process
            before = let_in_so_far
            victim = chance.randrange(admitters)
            running[victim].kill()
            running[victim].join(10)
            running[victim] = start()
    finally:
        for process in running:
            process.kill()
            process.join(10)
    ends = [redis.pexpiretime(token_key(RESERVATION, event_id, user)) for user in users]
    redis.close()
    in_order = [end for end in ends if end > 0]
    assert in_order == sorted(in_order), "someone was let in before one who came first"
    assert ends[len(in_order) :] == [-2] * (200 - len(in_order)), "someone was passed over"
    moments = [end / 1000 for end in in_order]
    assert most_above(rate, moments) <= 0.011, "within the millisecond tokens are dated in"
    assert max(Counter(int(moment) for moment in moments).values()) <= rate


# -- what the head of a line may be ---------------------------------------------------------------------------------


def test_an_admitted_user_holds_a_token_that_is_his_alone(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    first, second = in_line(redis, event_id, 2)
    Admission(redis, Policy()).tick([event_id])
    place, other = (LineStore(redis).place(event_id, user, NOW) for user in (first, second))
    assert isinstance(place, Admitted)
    assert timedelta(seconds=595) < place.left <= timedelta(seconds=600)
    QueueTokens(redis).check_reservation(place.token, first, event_id)
    assert isinstance(other, Admitted)
    assert other.token != place.token


def test_users_who_leave_or_come_between_two_ticks_do_not_cost_a_place(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    users = in_line(redis, event_id, 100, now=NOW)
    admission, line = Admission(redis, Policy()), LineStore(redis)
    assert let_in(admission, event_id, 0) == 10
    for user in users[10:45]:  # more than the last answer named beyond the rate
        line.leave(event_id, user)
    assert let_in(admission, event_id, 1) == 10
    assert admitted(redis, event_id, users[45:60]) == [True] * 10 + [False] * 5


def test_a_tick_of_a_line_whose_head_is_known_is_one_round_trip_however_many_lines(
    any_redis: NewClient, round_trips: RoundTrips
) -> None:
    redis, events = any_redis(), [uuid4() for _ in range(30)]
    for event_id in events:
        in_line(redis, event_id, 25, now=NOW)
    admission = Admission(redis, Policy())
    admission.tick(events, NOW)
    with round_trips as rounds:
        moved = admission.tick(events, NOW + SECOND)
    assert rounds.count == 1
    assert sum(len(each.admitted) for each in moved) == 300


def test_the_rate_may_be_as_high_as_an_operator_may_set_it(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    in_line(redis, event_id, 2100, rate=1000, now=NOW)
    admission = Admission(redis, Policy())
    assert [let_in(admission, event_id, at) for at in (0, 1, 2)] == [1000, 1000, 100]


# -- who is dropped ---------------------------------------------------------------------------------------------------


def test_who_has_not_asked_for_the_grace_is_dropped_and_who_has_stays(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    quiet, asking = in_line(redis, event_id, 2, now=NOW)
    line, admission = LineStore(redis), Admission(redis, Policy())
    line.steer(event_id, None, paused=True)
    dropped: dict[UUID, int] = {}
    for second in range(0, 700, 5):
        now = NOW + second * SECOND
        line.place(event_id, asking, now)
        dropped |= {user: second for moved in admission.tick([event_id], now) for user in moved.dropped}
    assert list(dropped) == [quiet]
    assert 300 <= dropped[quiet] <= 335, "a short tunnel is survived, a closed browser is not"
    assert line.place(event_id, quiet, now) is None
    assert isinstance(line.place(event_id, asking, now), Waiting)


@pytest.mark.parametrize("asks", ["status", "enter"])
def test_who_asks_while_seats_are_sold_out_is_still_there_when_they_come_back(any_redis: NewClient, asks: str) -> None:
    redis, event_id = any_redis(), uuid4()
    quiet, asking = in_line(redis, event_id, 2, now=NOW)
    line, admission = LineStore(redis), Admission(redis, Policy())
    line.learn(sale(event_id, sold_out=True), NOW)
    for second in range(0, 700, 20):
        now = NOW + second * SECOND
        if asks == "status":
            line.place(event_id, asking, now)
        else:
            line.enter(event_id, asking, now, None, accept_stale=True)
        admission.tick([event_id], now)
    line.learn(sale(event_id), now)
    assert line.place(event_id, quiet, now) is None
    place = line.place(event_id, asking, now)
    assert isinstance(place, Waiting)
    assert place.ahead == 0


def test_dropping_is_bounded_work_a_tick(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    in_line(redis, event_id, DROPPED + 50, now=NOW)
    LineStore(redis).steer(event_id, None, paused=True)
    admission = Admission(redis, Policy())
    late = NOW + timedelta(minutes=6)
    assert [len(admission.tick([event_id], late + i * SECOND)[0].dropped) for i in range(3)] == [DROPPED, 50, 0]
    assert redis.zcard(line_key(event_id)) == redis.zcard(seen_key(event_id)) == 0


def test_polling_writes_only_now_and_then(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    (user,) = in_line(redis, event_id, 1, now=NOW)
    line, noted = LineStore(redis), set()
    for second in range(0, 120, 5):
        line.place(event_id, user, NOW + second * SECOND)
        noted.add(redis.zscore(seen_key(event_id), str(user)))
    assert len(noted) == 4


# -- when nobody is let in ------------------------------------------------------------------------------------------


def test_a_paused_line_admits_nobody(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    in_line(redis, event_id, 3, now=NOW)
    LineStore(redis).steer(event_id, None, paused=True)
    assert let_in(Admission(redis, Policy()), event_id, 0) == 0


@pytest.mark.parametrize(
    "terms", [{"sold_out": True}, {"closes": timedelta(seconds=1)}, {"opens": timedelta(minutes=1)}]
)
def test_a_line_whose_sale_is_over_or_not_open_admits_nobody(any_redis: NewClient, terms: dict[str, object]) -> None:
    redis, event_id = any_redis(), uuid4()
    in_line(redis, event_id, 3, now=NOW)
    LineStore(redis).learn(sale(event_id, **terms), NOW)  # type: ignore[arg-type]
    assert let_in(Admission(redis, Policy()), event_id, 2) == 0


def test_admission_that_follows_seats_waits_while_all_that_is_left_is_held(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    in_line(redis, event_id, 20, now=NOW)
    line, follows = LineStore(redis), Admission(redis, Policy(follow_seats=True))
    line.learn(sale(event_id, seats_left=3), NOW)
    now_ms = NOW.timestamp() * 1000
    for seat in range(3):
        redis.zadd(held_seats_key(event_id), {f"seat-{seat}": now_ms + 5000 * (seat + 1)})
    assert [let_in(follows, event_id, at) for at in (0, 4)] == [0, 0]
    assert let_in(follows, event_id, 6) == 1, "one hold has ended: one seat to be had"
    assert let_in(Admission(redis, Policy()), event_id, 7) == 10, "one that does not follow seats goes on"


def test_whoever_ticks_is_told_every_two_seconds_to_look_at_the_terms_of_lines_with_people(
    any_redis: NewClient,
) -> None:
    redis, busy, empty = any_redis(), uuid4(), uuid4()
    in_line(redis, busy, 100, rate=1, now=NOW)
    in_line(redis, empty, 0, now=NOW)
    two = [Admission(redis, Policy()) for _ in range(2)]
    due = [
        moved.event_id
        for second in range(1, 11)
        for admission in two
        for moved in admission.tick([busy, empty], NOW + second * SECOND)
        if moved.terms_due
    ]
    assert due == [busy] * 5


# -- many lines -------------------------------------------------------------------------------------------------------


def test_shares_cover_every_line_once() -> None:
    lines = [uuid4() for _ in range(500)]
    for of in (1, 2, 3, 7):
        assert all(sum(line in Share(number, of) for number in range(of)) == 1 for line in lines)


def test_a_line_that_is_broken_does_not_stop_the_others(any_redis: NewClient) -> None:
    redis, good, broken = any_redis(), uuid4(), uuid4()
    in_line(redis, good, 3, now=NOW)
    redis.set(sale_key(broken), "not a hash")
    assert let_in_all(Admission(redis, Policy()), [broken, good]) == 3


def let_in_all(admission: Admission, lines: list[UUID]) -> int:
    return sum(len(moved.admitted) for moved in admission.tick(lines, NOW))


def test_a_line_long_closed_leaves_nothing_behind(any_redis: NewClient) -> None:
    redis, event_id, other = any_redis(), uuid4(), uuid4()
    in_line(redis, event_id, 30, now=NOW)
    in_line(redis, other, 1, now=NOW + timedelta(hours=8))
    admission = Admission(redis, Policy())
    admission.tick([event_id])
    closed = NOW + timedelta(hours=5)
    assert admission.forget_closed(closed + KEPT_AFTER_CLOSE - SECOND) == 0
    assert admission.forget_closed(closed + KEPT_AFTER_CLOSE) == 1
    assert redis.zrange(LIVE_LINES, 0, -1) == [str(other)]
    left = list(redis.scan_iter(match=f"*{event_id}*"))
    assert all(":qr:" in key for key in left), "tokens in hand end by themselves"


@pytest.mark.parametrize(
    "script",
    sorted((*ROOT.glob("functions/**/lua/*.lua"), *ROOT.glob("layers/common/python/common/**/lua/*.lua"))),
    ids=lambda path: path.name,
)
def test_every_script_declares_its_keys_and_says_so(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!lua\n"), "without it an undeclared key passes on one node and fails on a cluster"
    assert "-- KEYS " in text
    assert "-- Result" in text
    # What ElastiCache Serverless refuses in a script, or anywhere.
    assert not [name for name in ("TIME", "KEYS", "WAIT", "OBJECT", "MEMORY", "FUNCTION") if f"call('{name}'" in text]


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_tokens_of_another_user_event_or_step_open_nothing(any_redis: NewClient) -> None:
    redis, event_id, reservation_id = any_redis(), uuid4(), uuid4()
    user, other = in_line(redis, event_id, 2)
    Admission(redis, Policy()).tick([event_id])
    place = LineStore(redis).place(event_id, user, NOW)
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


def test_a_token_is_checked_in_one_round_trip(any_redis: NewClient, round_trips: RoundTrips) -> None:
    redis, event_id = any_redis(), uuid4()
    (user,) = in_line(redis, event_id, 1)
    Admission(redis, Policy()).tick([event_id])
    place = LineStore(redis).place(event_id, user, NOW)
    assert isinstance(place, Admitted)
    with round_trips as rounds:
        QueueTokens(redis).check_reservation(place.token, user, event_id)
    assert rounds.count == 1


def test_leaving_kills_the_token_in_hand(any_redis: NewClient) -> None:
    redis, event_id = any_redis(), uuid4()
    (user,) = in_line(redis, event_id, 1)
    Admission(redis, Policy()).tick([event_id])
    line = LineStore(redis)
    assert isinstance(line.place(event_id, user, NOW), Admitted)
    line.leave(event_id, user)
    assert line.place(event_id, user, NOW) is None
    assert redis.get(token_key(RESERVATION, event_id, user)) is None
