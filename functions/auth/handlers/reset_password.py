"""POST /auth/password/reset: a new password for whom PortOne verified to be the account's person (AUTH-015)."""

from functools import cache
from typing import Annotated

from pydantic import Field

from common.domain.clock import utc_now
from common.domain.model import Text
from common.http.endpoint import endpoint
from common.http.request import Body
from functions.auth.adapters.clients.identity_verification_client import identities
from functions.auth.adapters.password_hasher import password_hasher
from functions.auth.domain.account_fields import Email, NewPassword
from functions.auth.domain.errors import IdentityNotVerified
from functions.auth.usecases.password_reset import ForgottenPassword
from functions.auth.usecases.session_ending_changes import account_changes
from functions.auth.wiring.personal_data import vault


class ResetBody(Body):
    email: Email
    identity_verification_id: Annotated[Text, Field(min_length=1, max_length=200)]
    new_password: NewPassword


@cache
def forgotten_password() -> ForgottenPassword:
    return ForgottenPassword(identities(), account_changes(), vault().lookup, password_hasher(), utc_now)


@endpoint(raises=[IdentityNotVerified])
def handler(body: ResetBody) -> None:
    forgotten_password().reset(body.email, body.identity_verification_id, body.new_password.get_secret_value())
