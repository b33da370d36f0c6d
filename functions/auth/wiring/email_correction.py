"""Correcting a mistyped e-mail address."""

from functools import cache

from common.domain.clock import utc_now
from functions.auth.usecases.email_correction import EmailCorrection
from functions.auth.wiring.identity_verification import identity_verifications
from functions.auth.wiring.lookup_hash import lookup
from functions.auth.wiring.personal_data import vault
from functions.auth.wiring.session_ending_changes import account_states, session_ending_changes


@cache
def email_correction() -> EmailCorrection:
    return EmailCorrection(
        identity_verifications(), account_states(), session_ending_changes(), vault(), lookup(), utc_now
    )
