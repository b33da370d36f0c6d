"""PUT /users/me/email-verification: confirm the address with the code that was mailed (AUTH-022)."""

from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.auth.domain.account_fields import EmailCode
from functions.auth.domain.errors import CodeInvalid
from functions.auth.wiring.email_code_confirmation import code_confirmation


class ConfirmBody(Body):
    code: EmailCode


@endpoint(raises=[CodeInvalid])
def handler(user: User, body: ConfirmBody) -> None:
    code_confirmation().confirm(user.id, body.code.get_secret_value())
