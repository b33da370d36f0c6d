"""Resetting a forgotten password."""

from functools import cache

from common.domain.clock import utc_now
from functions.auth.usecases.password_reset import PasswordReset
from functions.auth.wiring.identity_verification import identity_verifications
from functions.auth.wiring.lookup_hash import lookup
from functions.auth.wiring.passwords import password_hasher
from functions.auth.wiring.session_ending_changes import account_states, session_ending_changes


@cache
def password_reset() -> PasswordReset:
    return PasswordReset(
        identity_verifications(),
        account_states(),
        session_ending_changes(),
        lookup(),
        password_hasher(),
        utc_now,
    )
