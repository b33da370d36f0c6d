"""The check of access tokens that were revoked."""

from functools import cache

from common.domain.clock import utc_now
from common.protection.revocation import Revocation
from common.wiring.redis_client import redis_client


@cache
def token_revocation() -> Revocation:
    return Revocation(redis_client(), utc_now)
