"""Confirming an account's address with the code."""

from functools import cache

from common.domain.clock import utc_now
from common.stores import redis
from common.stores.postgres import database
from functions.auth.adapters.account_state_repository import AccountStateRepository
from functions.auth.adapters.email_code_redis import EmailCodes
from functions.auth.usecases.email_verification import CodeConfirmation
from functions.auth.wiring.lookups import lookup


@cache
def code_confirmation() -> CodeConfirmation:
    return CodeConfirmation(AccountStateRepository(database()), EmailCodes(redis.client()), lookup(), utc_now)
