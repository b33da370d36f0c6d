"""Confirming an account's address with the code."""

from functools import cache

from common.domain.clock import utc_now
from common.wiring.database import database
from common.wiring.redis_client import redis_client
from functions.auth.adapters.account_state_repository import AccountStateRepository
from functions.auth.adapters.email_code_redis import EmailCodes
from functions.auth.usecases.email_verification import CodeConfirmation
from functions.auth.wiring.lookup_hash import lookup


@cache
def code_confirmation() -> CodeConfirmation:
    return CodeConfirmation(AccountStateRepository(database()), EmailCodes(redis_client()), lookup(), utc_now)
