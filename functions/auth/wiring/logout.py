"""Logging out."""

from functools import cache

from common.domain.clock import utc_now
from common.stores import redis
from common.stores.postgres import database
from functions.auth.adapters.session_repository import SessionRepository
from functions.auth.adapters.token_blacklist_redis import TokenBlacklist
from functions.auth.usecases.logout import Logout


@cache
def logout() -> Logout:
    return Logout(SessionRepository(database()), TokenBlacklist(redis.client()), utc_now)
