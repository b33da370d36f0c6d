"""The circuit breaker, on real Redis: what it lets through, and when it opens and closes."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from common.protection.circuit_breaker import BreakerTerms, CircuitBreaker, CircuitOpen
from common.stores.redis import Client, connect
from tests.support.concurrently import concurrently


class Outage(Exception):
    """The other side does not answer."""


class No(Exception):
    """The other side answers, and says no."""


class Now:
    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 1, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def circuit(redis: Client, now: Now) -> CircuitBreaker:
    return CircuitBreaker("portone", redis, now, failures=(Outage,))


def fail(circuit: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Outage), circuit.attempt():
            raise Outage


def succeed(circuit: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with circuit.attempt():
            pass


def is_open(circuit: CircuitBreaker) -> bool:
    try:
        with circuit.attempt():
            return False
    except CircuitOpen:
        return True


def test_it_opens_when_more_than_half_of_a_minutes_calls_failed(circuit: CircuitBreaker) -> None:
    succeed(circuit, 5)
    fail(circuit, 5)
    assert not is_open(circuit)  # and that was a success: 6 to 5

    fail(circuit, 2)

    assert is_open(circuit)


def test_a_few_failures_alone_open_nothing(circuit: CircuitBreaker) -> None:
    fail(circuit, 9)

    assert not is_open(circuit)


def test_what_the_other_side_refuses_is_no_failure(circuit: CircuitBreaker) -> None:
    for _ in range(20):
        with pytest.raises(No), circuit.attempt():
            raise No

    assert not is_open(circuit)


def test_failures_of_more_than_a_minute_ago_are_forgotten(circuit: CircuitBreaker, now: Now) -> None:
    fail(circuit, 9)
    now.pass_(61)
    fail(circuit, 9)

    assert not is_open(circuit)


def test_an_open_circuit_says_when_to_come_back(circuit: CircuitBreaker, now: Now) -> None:
    fail(circuit, 10)
    now.pass_(19.5)

    with pytest.raises(CircuitOpen) as refused, circuit.attempt():
        pytest.fail("called through an open circuit")

    assert refused.value.retry_after == 41


def test_all_containers_share_one_circuit(redis_url: str, circuit: CircuitBreaker, now: Now) -> None:
    fail(circuit, 10)

    assert is_open(CircuitBreaker("portone", connect(redis_url, cluster=False), now, failures=(Outage,)))


def test_of_a_hundred_calls_after_the_minute_one_tries(redis_url: str, circuit: CircuitBreaker, now: Now) -> None:
    fail(circuit, 10)
    now.pass_(60)
    clients = [connect(redis_url, cluster=False) for _ in range(10)]
    circuits = [CircuitBreaker("portone", client, now, failures=(Outage,)) for client in clients for _ in range(10)]
    tried: list[int] = []

    def call(which: CircuitBreaker) -> None:
        with which.attempt():
            tried.append(1)
            raise Outage

    results = concurrently([partial(call, each) for each in circuits])

    assert len(tried) == 1
    assert sum(isinstance(result, CircuitOpen) for result in results) == 99
    assert is_open(circuit)  # the trial failed: another minute


def test_a_trial_that_succeeds_closes_it_with_a_clean_record(circuit: CircuitBreaker, now: Now) -> None:
    fail(circuit, 10)
    now.pass_(60)
    succeed(circuit)

    fail(circuit, 9)

    assert not is_open(circuit)


def test_a_container_that_dies_trying_blocks_the_next_trial_for_seconds_only(
    redis: Client, circuit: CircuitBreaker, now: Now
) -> None:
    fail(circuit, 10)
    now.pass_(60)
    dying = circuit.attempt()
    dying.__enter__()
    assert is_open(circuit)

    now.pass_(BreakerTerms().trial_seconds)

    assert not is_open(circuit)


def test_a_call_sent_before_it_opened_does_not_close_it(circuit: CircuitBreaker, now: Now) -> None:
    with circuit.attempt():
        fail(circuit, 10)

    assert is_open(circuit)


def test_without_redis_calls_go_out(now: Now) -> None:
    nowhere = connect("redis://127.0.0.1:9", cluster=False)
    circuit = CircuitBreaker("portone", nowhere, now, failures=(Outage,))

    fail(circuit, 20)
    succeed(circuit)


def test_it_forgets_itself_when_nobody_calls(redis: Client, circuit: CircuitBreaker) -> None:
    fail(circuit, 10)

    assert 0 < redis.pttl("circuit:{portone}") <= 120_000
