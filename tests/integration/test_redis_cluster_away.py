"""A Redis Cluster that is away is known to be away, in whatever words: ElastiCache Serverless is one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, ResponseError, TryAgainError

from common.http.endpoint import endpoint
from common.protection.bot_check import BotCheck
from common.protection.circuit_breaker import CircuitBreaker
from common.protection.cloud_ranges import CloudRanges
from common.protection.rate_class import BOOKING
from common.protection.rate_limit import RateLimiter
from common.stores.redis import Client, connect
from functions.events.adapters.read_cache_redis import CachedResponse, LoadResult, ReadCache
from functions.events.domain.freshness import Freshness
from functions.queue.adapters.queue_redis import QueueRedis
from tests.support.fixtures.redis_cluster import redis_cluster
from tests.support.fixtures.waiting_room import new_event, new_user

NOW = datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="module", params=["never there", "gone"])
def away(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A container's client of a cluster that it never reached, or that died under it."""
    if request.param == "never there":
        return connect("redis://127.0.0.1:9", cluster=True)
    with redis_cluster(tmp_path_factory.mktemp("away")) as url:
        client = connect(url, cluster=True)
        client.set("it is", "warm")
    return client


def status_of(step: Callable[[], object]) -> int:
    """What an endpoint that ends as `step` does is answered with."""

    @endpoint(limit=None)
    def handler() -> None:
        step()

    return int(handler({}, None)["statusCode"])


def test_a_queue_is_unavailable_and_not_a_bug(away: Client) -> None:
    assert status_of(lambda: QueueRedis(away).read_status(new_event(), new_user(), NOW)) == 503


def test_nobody_is_counted_or_watched_and_nobody_shut_out(away: Client) -> None:
    assert RateLimiter(away, lambda: NOW).admit(BOOKING, "u1", "198.51.100.7") is None
    watch = BotCheck(away, lambda: NOW, CloudRanges([]), lambda _token: None)
    assert watch.verdict("u1", "203.0.113.7", None, logged_in=True) is None


def test_calls_go_out(away: Client) -> None:
    called = 0
    with CircuitBreaker("portone", away, lambda: NOW, failures=(OSError,)).attempt():
        called += 1
    assert called == 1


def test_everybody_reads_all_the_same(away: Client) -> None:
    fresh = Freshness(NOW + timedelta(seconds=1), NOW + timedelta(seconds=1))
    kept = CachedResponse('"tag"', "{}")
    assert ReadCache(lambda: away, lambda: NOW).get("key", "field", lambda _: LoadResult(kept, fresh)) == kept


@pytest.mark.parametrize("error", [ClusterDownError, ReadOnlyError, OutOfMemoryError, TryAgainError])
def test_a_cluster_that_does_not_take_it_now_is_away_too(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error("not now")

    monkeypatch.setattr("redis.Redis.get", fails)
    client = connect("redis://127.0.0.1:9", cluster=False)
    assert status_of(lambda: client.get("key")) == 503


def test_a_bug_is_no_outage() -> None:
    def bug() -> None:
        raise ResponseError("Error running script")

    assert status_of(bug) == 500
