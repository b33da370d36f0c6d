"""Access tokens that ended before their time (AUTH-010), where the gateway keeps the authorizer's answers.

The authorizer asks the same list, but a kept answer is as old as the cache allows. So that a sign-out still bites at
once, each function then asks for itself.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from common.domain.clock import Clock, utc_now
from common.domain.shared_errors import TokenExpired, TokenRevoked
from common.stores import redis
from common.stores.redis import Client


def revoked_key(token_id: str) -> str:
    """Where a revoked token's `jti` stands in Redis, for as long as the token would have lived."""
    return f"token:blacklist:{{{token_id}}}"


class Revocation:
    def __init__(self, redis: Client, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    def check(self, claims: Mapping[str, Any]) -> None:
        """Raises TokenRevoked or TokenExpired by what the authorizer said of a token, a moment or longer ago.

        While Redis is unavailable its error is raised, so no request passes unchecked.
        """
        if int(claims["exp"]) <= self._clock().timestamp():
            raise TokenExpired()
        if self._redis.exists(revoked_key(claims["jti"])):
            raise TokenRevoked()


@cache
def revocation() -> Revocation:
    return Revocation(redis.client(), utc_now)
