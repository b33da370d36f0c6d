"""Changes that a user confirms with the password."""

from functools import cache

from common.domain.clock import utc_now
from functions.auth.usecases.password_confirmed_changes import PasswordConfirmedChanges
from functions.auth.wiring.lockout import lockout
from functions.auth.wiring.passwords import password_hasher
from functions.auth.wiring.session_ending_changes import account_states, session_ending_changes


@cache
def password_confirmed_changes() -> PasswordConfirmedChanges:
    return PasswordConfirmedChanges(account_states(), session_ending_changes(), password_hasher(), lockout(), utc_now)
