"""The limits on real Redis: how many get through, and what the others are told."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from common.domain.shared_errors import DomainError, RateLimited
from common.protection.rate_class import BOOKING, LOGIN, PAYMENT, QUEUE_STATUS
from common.protection.rate_limit import RateLimiter
from common.stores.redis import Client, connect
from tests.support.concurrently import concurrently


class Now:
    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 1, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def limiter(redis: Client, now: Now) -> RateLimiter:
    return RateLimiter(redis, now)


def let_through(limiter: RateLimiter, tries: int, user: str | None = "u1", address: str | None = None) -> int:
    passed = 0
    for _ in range(tries):
        try:
            limiter.admit(BOOKING, user, address)
        except DomainError:
            continue
        passed += 1
    return passed


def test_a_fifth_more_than_a_minutes_worth_may_come_at_once(limiter: RateLimiter) -> None:
    assert let_through(limiter, 100) == 24


def test_a_hundred_at_the_same_moment_are_counted_exactly(redis_url: str, redis: Client, now: Now) -> None:
    limiters = [RateLimiter(connect(redis_url, cluster=False), now) for _ in range(10)]

    results = concurrently([partial(limiters[i % 10].admit, BOOKING, "u1", None) for i in range(100)])

    assert sum(isinstance(result, DomainError) for result in results) == 76


def test_after_the_burst_it_is_the_limit_and_no_more(limiter: RateLimiter, now: Now) -> None:
    let_through(limiter, 100)
    passed = 0
    for _ in range(600):  # a minute, ten tries a second
        now.moment += timedelta(milliseconds=100)
        passed += let_through(limiter, 1)

    assert passed == 20


def test_a_refusal_says_how_many_and_when(limiter: RateLimiter) -> None:
    let_through(limiter, 24)

    with pytest.raises(RateLimited) as refused:
        limiter.admit(BOOKING, "u1", None)

    assert (refused.value.limit, refused.value.remaining, refused.value.retry_after) == (20, 0, 3)


def test_no_more_is_said_to_be_left_than_the_limit(limiter: RateLimiter) -> None:
    allowance = limiter.admit(BOOKING, "u1", None)

    assert allowance is not None
    assert allowance.remaining == 23
    assert (allowance.limit, allowance.shown_remaining) == (20, 20)


def test_whoever_waits_as_long_as_told_gets_through(limiter: RateLimiter, now: Now) -> None:
    let_through(limiter, 24)
    now.moment += timedelta(seconds=3)

    assert let_through(limiter, 1) == 1


def test_one_user_does_not_use_up_anothers(limiter: RateLimiter) -> None:
    let_through(limiter, 24, "u1")

    assert let_through(limiter, 24, "u2") == 24


def test_classes_are_counted_apart(limiter: RateLimiter) -> None:
    let_through(limiter, 24)

    limiter.admit(QUEUE_STATUS, "u1", None)


def test_many_users_at_one_address_share_its_limit(limiter: RateLimiter) -> None:
    through = 0
    for user in range(100):
        try:
            limiter.admit(PAYMENT, f"u{user}", "198.51.100.7")
            through += 1
        except DomainError:
            pass

    assert through == 60  # 50 a minute, and a fifth


def test_an_ipv6_customer_cannot_hide_in_his_network(limiter: RateLimiter) -> None:
    passed = sum(let_through(limiter, 1, None, f"2001:db8:0:1::{host:x}") for host in range(200))

    assert passed == 120
    assert let_through(limiter, 1, None, "2001:db8:0:2::1") == 1


def test_address_limits_can_be_off_where_all_have_one_address(redis: Client, now: Now) -> None:
    limiter = RateLimiter(redis, now, address_limits=False)

    assert all(limiter.admit(LOGIN, None, "127.0.0.1") is None for _ in range(500))


def test_user_and_address_are_asked_in_one_round_trip(redis_url: str, redis: Client, now: Now) -> None:
    client = connect(redis_url, cluster=False)
    limiter = RateLimiter(client, now)
    limiter.admit(BOOKING, "u1", "198.51.100.7")  # the script is known from here on
    sent: list[bytes] = []
    connection = client.connection_pool.get_connection()
    send = connection.send_packed_command

    def counted(command: object, *more: object, **options: object) -> object:
        sent.append(b"")
        return send(command, *more, **options)

    connection.send_packed_command = counted  # type: ignore[method-assign]
    client.connection_pool.release(connection)

    limiter.admit(BOOKING, "u1", "198.51.100.7")

    assert len(sent) == 1


def test_without_redis_nobody_is_counted_and_nobody_shut_out(now: Now) -> None:
    limiter = RateLimiter(connect("redis://127.0.0.1:9", cluster=False), now)

    assert limiter.admit(BOOKING, "u1", "198.51.100.7") is None


def test_no_address_is_kept_in_the_clear_and_no_limit_for_ever(limiter: RateLimiter, redis: Client) -> None:
    limiter.admit(BOOKING, "u1", "198.51.100.7")

    keys = [str(key) for key in redis.scan_iter()]
    assert len(keys) == 2
    assert not any("198.51.100.7" in key for key in keys)
    assert all(0 < int(redis.pttl(key)) <= 60_000 for key in keys)
