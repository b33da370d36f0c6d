"""The login history."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.wiring.database import database
from functions.auth.adapters.login_history_repository import LoginHistoryRepository
from functions.auth.usecases.login_history import LoginHistory
from functions.auth.wiring.personal_data import vault


@cache
def login_history() -> LoginHistory:
    return LoginHistory(LoginHistoryRepository(database(), vault()), utc_now, new_id)
