"""The check of access tokens that were revoked."""

from functools import cache

from common.domain.clock import utc_now
from common.protection.token_blacklist import TokenBlacklistCheck
from common.wiring.redis_client import redis_client


@cache
def token_blacklist_check() -> TokenBlacklistCheck:
    return TokenBlacklistCheck(redis_client(), utc_now)
