"""Logging out."""

from functools import cache

from common.domain.clock import utc_now
from common.wiring.database import database
from common.wiring.redis_client import redis_client
from functions.auth.adapters.session_repository import SessionRepository
from functions.auth.adapters.token_blacklist_redis import TokenBlacklist
from functions.auth.usecases.logout import Logout


@cache
def logout() -> Logout:
    return Logout(SessionRepository(database()), TokenBlacklist(redis_client()), utc_now)
