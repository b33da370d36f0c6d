"""Rate limits on a real Redis: how many requests are allowed, and what the error of the others says."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from redis import Redis

from common.domain.shared_errors import DomainError, RateLimited
from common.protection.rate_class import BOOKING, LOGIN, OTHERS, PAYMENT, QUEUE_STATUS, READS
from common.protection.rate_limit import RateLimiter
from common.stores.redis import Client, connect
from tests.support.concurrently import concurrently


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(redis: Client, clock: Clock) -> RateLimiter:
    return RateLimiter(redis, clock)


def count_allowed(limiter: RateLimiter, tries: int, user: str | None = "u1", address: str | None = None) -> int:
    allowed = 0
    for _ in range(tries):
        try:
            limiter.admit(BOOKING, user, address)
        except DomainError:
            continue
        allowed += 1
    return allowed


def test_a_burst_of_a_fifth_more_than_the_limit_is_allowed(limiter: RateLimiter) -> None:
    assert count_allowed(limiter, 100) == 24


def test_concurrent_requests_are_counted_exactly(redis_url: str, redis: Client, clock: Clock) -> None:
    # Without the time limit of `connect`: a call that Redis answers late would be counted twice, or not at all.
    limiters = [RateLimiter(Redis.from_url(redis_url, decode_responses=True), clock) for _ in range(10)]

    results = concurrently([partial(limiters[i % 10].admit, BOOKING, "u1", None) for i in range(100)])

    assert sum(isinstance(result, DomainError) for result in results) == 76


def test_after_the_burst_the_limit_applies_exactly(limiter: RateLimiter, clock: Clock) -> None:
    count_allowed(limiter, 100)
    allowed = 0
    for _ in range(600):  # a minute, ten tries a second
        clock.now += timedelta(milliseconds=100)
        allowed += count_allowed(limiter, 1)

    assert allowed == 20


def test_the_error_has_the_limit_and_the_time_to_wait(limiter: RateLimiter) -> None:
    count_allowed(limiter, 24)

    with pytest.raises(RateLimited) as raised:
        limiter.admit(BOOKING, "u1", None)

    assert (raised.value.limit, raised.value.remaining, raised.value.retry_after) == (20, 0, 3)


def test_the_remaining_count_that_clients_see_is_at_most_the_limit(limiter: RateLimiter) -> None:
    allowance = limiter.admit(BOOKING, "u1", None)

    assert allowance is not None
    assert allowance.remaining == 23
    assert (allowance.limit, allowance.shown_remaining) == (20, 20)


def test_after_the_time_to_wait_one_request_is_allowed(limiter: RateLimiter, clock: Clock) -> None:
    count_allowed(limiter, 24)
    clock.now += timedelta(seconds=3)

    assert count_allowed(limiter, 1) == 1


def test_users_are_counted_separately(limiter: RateLimiter) -> None:
    count_allowed(limiter, 24, "u1")

    assert count_allowed(limiter, 24, "u2") == 24


def test_rate_classes_are_counted_separately(limiter: RateLimiter) -> None:
    count_allowed(limiter, 24)

    limiter.admit(QUEUE_STATUS, "u1", None)


def test_users_at_one_address_do_not_share_a_limit(limiter: RateLimiter, clock: Clock) -> None:
    """A school, an internet café, a mobile network: 300 people who poll every five seconds, as they are told to."""
    for _ in range(15):  # 75 seconds
        for user in range(300):
            limiter.admit(QUEUE_STATUS, f"u{user}", "198.51.100.7")
            limiter.admit(READS, f"u{user}", "198.51.100.7")
        clock.now += timedelta(seconds=5)
    for user in range(300):
        limiter.admit(BOOKING, f"u{user}", "198.51.100.7")
        limiter.admit(PAYMENT, f"u{user}", "198.51.100.7")


def test_a_user_has_one_limit_over_all_addresses(limiter: RateLimiter) -> None:
    assert sum(count_allowed(limiter, 1, "u1", f"198.51.100.{host}") for host in range(200)) == 24


def test_one_address_has_room_for_hundreds_who_log_in(limiter: RateLimiter) -> None:
    for _ in range(300):
        limiter.admit(LOGIN, None, "198.51.100.7")
        limiter.admit(READS, None, "198.51.100.7")


def test_requests_without_a_login_are_limited_by_address(limiter: RateLimiter) -> None:
    for _ in range(720):  # 600 a minute, and a fifth more
        limiter.admit(OTHERS, None, "198.51.100.7")
    with pytest.raises(RateLimited):
        limiter.admit(OTHERS, None, "198.51.100.7")


def test_addresses_of_one_ipv6_network_share_its_limit(limiter: RateLimiter) -> None:
    for host in range(720):
        limiter.admit(OTHERS, None, f"2001:db8:0:1::{host:x}")
    with pytest.raises(RateLimited):
        limiter.admit(OTHERS, None, "2001:db8:0:1::ffff")
    limiter.admit(OTHERS, None, "2001:db8:0:2::1")


def test_address_limits_can_be_switched_off(redis: Client, clock: Clock) -> None:
    limiter = RateLimiter(redis, clock, address_limits=False)

    assert all(limiter.admit(LOGIN, None, "127.0.0.1") is None for _ in range(500))


def test_while_redis_is_unavailable_every_request_is_allowed(clock: Clock) -> None:
    limiter = RateLimiter(connect("redis://127.0.0.1:9", cluster=False), clock)

    assert limiter.admit(BOOKING, "u1", "198.51.100.7") is None


def test_addresses_are_stored_hashed_and_every_key_expires(limiter: RateLimiter, redis: Client) -> None:
    limiter.admit(LOGIN, None, "198.51.100.7")

    keys = [str(key) for key in redis.scan_iter()]
    assert len(keys) == 1
    assert not any("198.51.100.7" in key for key in keys)
    assert all(0 < int(redis.pttl(key)) <= 60_000 for key in keys)
