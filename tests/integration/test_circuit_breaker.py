"""The circuit breaker on a real Redis: which calls it allows, and when it opens and closes."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from common.protection.circuit_breaker import BreakerTerms, CircuitBreaker, CircuitOpen
from common.stores.redis import Client, connect
from tests.support.concurrently import concurrently


class Outage(Exception):
    """The called service is unavailable."""


class Rejection(Exception):
    """The called service rejects the call."""


class Now:
    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def breaker(redis: Client, now: Now) -> CircuitBreaker:
    return CircuitBreaker("portone", redis, now, failures=(Outage,))


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Outage), breaker.attempt():
            raise Outage


def succeed(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with breaker.attempt():
            pass


def is_open(breaker: CircuitBreaker) -> bool:
    try:
        with breaker.attempt():
            return False
    except CircuitOpen:
        return True


def test_it_opens_when_more_than_half_of_the_calls_in_a_minute_fail(breaker: CircuitBreaker) -> None:
    succeed(breaker, 5)
    fail(breaker, 5)
    assert not is_open(breaker)  # that call succeeded: 6 of 11

    fail(breaker, 2)

    assert is_open(breaker)


def test_a_few_failures_do_not_open_it(breaker: CircuitBreaker) -> None:
    fail(breaker, 9)

    assert not is_open(breaker)


def test_a_rejection_by_the_called_service_is_no_failure(breaker: CircuitBreaker) -> None:
    for _ in range(20):
        with pytest.raises(Rejection), breaker.attempt():
            raise Rejection

    assert not is_open(breaker)


def test_failures_older_than_a_minute_do_not_count(breaker: CircuitBreaker, now: Now) -> None:
    fail(breaker, 9)
    now.advance(61)
    fail(breaker, 9)

    assert not is_open(breaker)


def test_an_open_circuit_breaker_says_when_to_retry(breaker: CircuitBreaker, now: Now) -> None:
    fail(breaker, 10)
    now.advance(19.5)

    with pytest.raises(CircuitOpen) as raised, breaker.attempt():
        pytest.fail("called while the circuit breaker was open")

    assert raised.value.retry_after == 41


def test_all_execution_environments_share_one_circuit_breaker(
    redis_url: str, breaker: CircuitBreaker, now: Now
) -> None:
    fail(breaker, 10)

    assert is_open(CircuitBreaker("portone", connect(redis_url, cluster=False), now, failures=(Outage,)))


def test_of_a_hundred_calls_after_the_minute_one_is_the_trial(
    redis_url: str, breaker: CircuitBreaker, now: Now
) -> None:
    fail(breaker, 10)
    now.advance(60)
    clients = [connect(redis_url, cluster=False) for _ in range(10)]
    breakers = [CircuitBreaker("portone", client, now, failures=(Outage,)) for client in clients for _ in range(10)]
    trials: list[int] = []

    def call(breaker: CircuitBreaker) -> None:
        with breaker.attempt():
            trials.append(1)
            raise Outage

    results = concurrently([partial(call, each) for each in breakers])

    assert len(trials) == 1
    assert sum(isinstance(result, CircuitOpen) for result in results) == 99
    assert is_open(breaker)  # the trial failed: it stays open for another minute


def test_a_successful_trial_closes_it_and_clears_the_failures(breaker: CircuitBreaker, now: Now) -> None:
    fail(breaker, 10)
    now.advance(60)
    succeed(breaker)

    fail(breaker, 9)

    assert not is_open(breaker)


def test_a_crash_during_the_trial_delays_the_next_trial_for_seconds_only(
    redis: Client, breaker: CircuitBreaker, now: Now
) -> None:
    fail(breaker, 10)
    now.advance(60)
    crashed = breaker.attempt()
    crashed.__enter__()
    assert is_open(breaker)

    now.advance(BreakerTerms().trial_seconds)

    assert not is_open(breaker)


def test_a_call_sent_before_it_opened_does_not_close_it(breaker: CircuitBreaker, now: Now) -> None:
    with breaker.attempt():
        fail(breaker, 10)

    assert is_open(breaker)


def test_while_redis_is_unavailable_calls_are_allowed(now: Now) -> None:
    unavailable = connect("redis://127.0.0.1:9", cluster=False)
    breaker = CircuitBreaker("portone", unavailable, now, failures=(Outage,))

    fail(breaker, 20)
    succeed(breaker)


def test_its_state_expires_without_calls(redis: Client, breaker: CircuitBreaker) -> None:
    fail(breaker, 10)

    assert 0 < redis.pttl("circuit:{portone}") <= 120_000
