"""POST /auth/password/reset: set a new password after PortOne verified the account's person (AUTH-015)."""

from typing import Annotated

from pydantic import Field

from common.domain.model import VisibleText
from common.http.endpoint import endpoint
from common.http.request import Body
from functions.auth.domain.account_fields import Email, NewPassword
from functions.auth.domain.errors import IdentityNotVerified
from functions.auth.wiring.password_reset import password_reset


class ResetBody(Body):
    email: Email
    identity_verification_id: Annotated[VisibleText, Field(max_length=200)]
    new_password: NewPassword


@endpoint(raises=[IdentityNotVerified])
def handler(body: ResetBody) -> None:
    password_reset().reset(body.email, body.identity_verification_id, body.new_password.get_secret_value())
