"""Every error of an unavailable Redis Cluster is handled as such; ElastiCache Serverless is a cluster."""

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


@pytest.fixture(scope="module", params=["never reached", "stopped"])
def unavailable(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A client of a cluster that it never reached, or that stopped after the client connected."""
    if request.param == "never reached":
        return connect("redis://127.0.0.1:9", cluster=True)
    with redis_cluster(tmp_path_factory.mktemp("stopped-cluster")) as url:
        client = connect(url, cluster=True)
        client.set("key", "value")  # connects
    return client


def status_of(step: Callable[[], object]) -> int:
    """The HTTP status of an endpoint that runs `step`."""

    @endpoint(limit=None)
    def handler() -> None:
        step()

    return int(handler({}, None)["statusCode"])


def test_the_queue_answers_503(unavailable: Client) -> None:
    assert status_of(lambda: QueueRedis(unavailable).read_status(new_event(), new_user(), NOW)) == 503


def test_rate_limits_and_bot_checks_accept_every_request(unavailable: Client) -> None:
    assert RateLimiter(unavailable, lambda: NOW).admit(BOOKING, "u1", "198.51.100.7") is None
    bot_check = BotCheck(unavailable, lambda: NOW, CloudRanges([]), lambda _token: None)
    assert bot_check.verdict("u1", "203.0.113.7", None, logged_in=True) is None


def test_the_circuit_breaker_allows_calls(unavailable: Client) -> None:
    called = 0
    with CircuitBreaker("portone", unavailable, lambda: NOW, failures=(OSError,)).attempt():
        called += 1
    assert called == 1


def test_the_read_cache_loads_every_response(unavailable: Client) -> None:
    fresh = Freshness(NOW + timedelta(seconds=1), NOW + timedelta(seconds=1))
    kept = CachedResponse('"tag"', "{}")
    assert ReadCache(lambda: unavailable, lambda: NOW).get("key", "field", lambda _: LoadResult(kept, fresh)) == kept


@pytest.mark.parametrize("error", [ClusterDownError, ReadOnlyError, OutOfMemoryError, TryAgainError])
def test_a_cluster_that_rejects_a_command_for_now_is_unavailable(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error("not now")

    monkeypatch.setattr("redis.Redis.get", fails)
    client = connect("redis://127.0.0.1:9", cluster=False)
    assert status_of(lambda: client.get("key")) == 503


def test_a_script_error_is_a_bug_and_answers_500() -> None:
    def bug() -> None:
        raise ResponseError("Error running script")

    assert status_of(bug) == 500
