"""Changes that a user confirms with the password."""

from functools import cache

from common.domain.clock import utc_now
from functions.auth.usecases.confirmed_changes import ConfirmedChanges
from functions.auth.wiring.lockout import lockout
from functions.auth.wiring.passwords import password_hasher
from functions.auth.wiring.session_ending_changes import account_states, session_ending_changes


@cache
def confirmed_changes() -> ConfirmedChanges:
    return ConfirmedChanges(account_states(), session_ending_changes(), password_hasher(), lockout(), utc_now)
