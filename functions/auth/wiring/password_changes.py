"""What asks for the password once more, put together for its two handlers: apart from `composition`, whose others need
neither bcrypt nor Redis."""

from functools import cache

from common.domain.clock import utc_now
from functions.auth.adapters.lockout_redis import lockout
from functions.auth.adapters.password_hasher import password_hasher
from functions.auth.usecases.confirmed_changes import OwnAccount
from functions.auth.usecases.session_ending_changes import account_changes


@cache
def own_account() -> OwnAccount:
    return OwnAccount(account_changes(), password_hasher(), lockout(), utc_now)
