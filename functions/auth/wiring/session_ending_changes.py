"""Changes of an account that end sessions."""

from functools import cache

from common.wiring.database import database
from common.wiring.redis_client import redis_client
from functions.auth.adapters.account_state_repository import AccountStateRepository
from functions.auth.adapters.session_repository import SessionRepository
from functions.auth.adapters.token_blacklist_redis import TokenBlacklist
from functions.auth.usecases.session_ending_changes import SessionEndingChanges


@cache
def account_states() -> AccountStateRepository:
    return AccountStateRepository(database())


@cache
def session_ending_changes() -> SessionEndingChanges:
    sessions, blacklist = SessionRepository(database()), TokenBlacklist(redis_client())
    return SessionEndingChanges(database(), account_states(), sessions, blacklist)
