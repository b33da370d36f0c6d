"""Revoked access tokens, on one Redis and on a cluster (AUTH-010)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from common.stores.redis import Client
from functions.auth.adapters.token_blacklist_redis import TokenBlacklist
from functions.auth.domain.session import AccessToken

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)


def test_tokens_are_revoked_together_for_the_rest_of_their_lifetimes(any_redis: Callable[[], Client]) -> None:
    redis = any_redis()
    blacklist = TokenBlacklist(redis)
    lifetimes = {f"token-{n}": timedelta(seconds=seconds) for n, seconds in enumerate([3600, 60, 0.5, 0, -1])}
    blacklist.add([AccessToken(name, NOW + lifetime) for name, lifetime in lifetimes.items()], NOW)
    assert [blacklist.contains(name) for name in [*lifetimes, "another"]] == [True, True, True, False, False, False]
    ttls = [int(redis.ttl(f"token:blacklist:{{token-{n}}}")) for n in range(3)]
    assert 3590 <= ttls[0] <= 3600
    assert 50 <= ttls[1] <= 60
    assert ttls[2] <= 1
