"""What asks for the password once more, put together for its two handlers: apart from `composition`, whose others need
neither bcrypt nor Redis."""

from functools import cache

from common.domain.clock import utc_now
from functions.auth.account_changes import account_changes
from functions.auth.lockout import lockout
from functions.auth.own_account import OwnAccount
from functions.auth.password_hasher import password_hasher


@cache
def own_account() -> OwnAccount:
    return OwnAccount(account_changes(), password_hasher(), lockout(), utc_now)
