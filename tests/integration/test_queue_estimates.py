"""The estimated wait against the real one: a whole sale, simulated second by second."""

import random
import statistics
from collections.abc import Callable
from datetime import timedelta

import pytest

from common.domain.clock import microseconds
from common.domain.ids import UserId
from common.stores.redis import Client
from common.waitingroom.queue_keys import last_seen_key
from functions.admitter.adapters.admission_redis import AdmissionRedis
from functions.admitter.domain.admission import AdmissionPolicy
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.domain.queue_speed import QueueSpeed
from functions.queue.domain.queue_status import Waiting
from tests.support.fixtures.waiting_room import NOW, new_event, waiting_users

SECOND = timedelta(seconds=1)


def simulated_errors(redis: Client, *, users: int, rate: int, seed: int) -> list[float]:
    """Relative errors of estimates read at random through a sale with pauses, leavers and silent drop-outs.

    About every tenth second no user is admitted: the operator pauses for 5 to 15 s at a time. A third of the users give
    up, half of them without a request. Those sampled stay.
    """
    event_id, chance = new_event(), random.Random(seed)
    queue, admission = QueueRedis(redis), AdmissionRedis(redis, AdmissionPolicy(grace_seconds=30))
    waiting = waiting_users(redis, event_id, users, rate, NOW)
    estimates: dict[UserId, list[tuple[int, int]]] = {user: [] for user in chance.sample(waiting, 40)}
    leavers = {
        user: (chance.randrange(users // rate), chance.random() < 0.5)
        for user in waiting
        if user not in estimates and chance.random() < 0.33
    }
    admitted_at: dict[UserId, int] = {}
    left: set[UserId] = set()
    paused_until = second = 0
    next_pause = chance.randrange(60, 120)
    while estimates.keys() - admitted_at.keys():
        second += 1
        now = NOW + second * SECOND
        if second == next_pause:
            paused_until = second + chance.randrange(5, 16)
            next_pause = paused_until + chance.randrange(60, 120)
            queue.update_settings(event_id, None, paused=True)
        if second == paused_until:
            queue.update_settings(event_id, None, paused=False)
        for user, (at, with_request) in leavers.items():
            if at == second and user not in admitted_at:
                left.add(user)
                if with_request:
                    queue.leave(event_id, user)
        if second % 10 == 0:  # every user who still waits polls: written at once
            polls = {str(user): microseconds(now) for user in waiting if user not in left and user not in admitted_at}
            redis.zadd(last_seen_key(event_id), polls, xx=True)
            for user in estimates.keys() - admitted_at.keys():
                place = queue.read_status(event_id, user, now)
                if isinstance(place, Waiting):
                    estimates[user].append((second, place.estimated_seconds))
        for move in admission.tick([event_id], now):
            admitted_at |= dict.fromkeys(move.admitted, second)
    return [
        abs(estimate - (admitted_at[user] - at)) / (admitted_at[user] - at)
        for user, read in estimates.items()
        for at, estimate in read
        if admitted_at[user] - at >= 30  # below half a minute, rounding to seconds distorts the error
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_half_of_all_estimates_are_within_ten_per_cent(redis: Client, seed: int) -> None:
    errors = simulated_errors(redis, users=1500, rate=5, seed=seed)
    assert len(errors) > 60
    print(f"median {statistics.median(errors):.3f}, p90 {statistics.quantiles(errors, n=10)[8]:.3f} of {len(errors)}")
    assert statistics.median(errors) < 0.10


def test_an_unmeasured_queue_moves_at_its_rate() -> None:
    assert QueueSpeed(10).seconds_for(150) == 15
    assert QueueSpeed(10).seconds_for(0) == 1


def test_users_who_give_up_shorten_the_wait_of_those_behind() -> None:
    assert QueueSpeed(10, churn=0.001).seconds_for(3000) == 263
    assert QueueSpeed(10, churn=1e-15).seconds_for(3000) == 300


def test_a_changed_rate_changes_the_estimate_at_once(any_redis: Callable[[], Client]) -> None:
    redis, event_id = any_redis(), new_event()
    users = waiting_users(redis, event_id, 300, 10, NOW)
    queue, admission = QueueRedis(redis), AdmissionRedis(redis, AdmissionPolicy())
    for second in range(5):
        admission.tick([event_id], NOW + second * SECOND)
    queue.update_settings(event_id, 50, None)
    place = queue.read_status(event_id, users[-1], NOW + 5 * SECOND)
    assert isinstance(place, Waiting)
    assert (place.ahead, place.estimated_seconds) == (249, 5)
