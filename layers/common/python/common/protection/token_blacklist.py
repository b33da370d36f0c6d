"""Checks that an access token was not revoked (AUTH-010), where the gateway caches the authorizer's answers.

The authorizer reads the same list, but a cached answer is as old as the cache allows. So that a logout still takes
effect at once, each function then checks for itself.
"""

from collections.abc import Mapping
from typing import Any

from common.domain.clock import Clock
from common.domain.shared_errors import TokenExpired, TokenRevoked
from common.stores.redis import Client


def revoked_key(token_id: str) -> str:
    """The Redis key of a revoked token's `jti`; it lives as long as the token would have."""
    return f"token:blacklist:{{{token_id}}}"


class TokenBlacklistCheck:
    def __init__(self, redis: Client, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    def check(self, claims: Mapping[str, Any]) -> None:
        """Raises TokenRevoked or TokenExpired by the claims that the authorizer read, now or some seconds ago.

        Raises StoreUnavailable while Redis is unavailable: no request passes unchecked.
        """
        if int(claims["exp"]) <= self._clock().timestamp():
            raise TokenExpired()
        if self._redis.exists(revoked_key(claims["jti"])):
            raise TokenRevoked()
