"""The rate limiter."""

from functools import cache

from common.domain.clock import utc_now
from common.protection.rate_limit import RateLimiter
from common.wiring.redis_client import redis_client


@cache
def rate_limiter(*, address_limits: bool) -> RateLimiter:
    return RateLimiter(redis_client(), utc_now, address_limits=address_limits)
