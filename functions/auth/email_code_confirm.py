"""PUT /users/me/email-verification: the code that was mailed (AUTH-022)."""

from functools import cache

from common.domain.clock import utc_now
from common.http.endpoint import endpoint
from common.http.request import Body, User
from common.stores import redis
from functions.auth.bounds import MailedCode
from functions.auth.composition import accounts, vault
from functions.auth.email_code_store import EmailCodeStore
from functions.auth.email_verification import CodeConfirmation
from functions.auth.errors import CodeInvalid


class ConfirmBody(Body):
    code: MailedCode


@cache
def code_confirmation() -> CodeConfirmation:
    return CodeConfirmation(accounts(), EmailCodeStore(redis.client()), vault().lookup, utc_now)


@endpoint(raises=[CodeInvalid])
def handler(user: User, body: ConfirmBody) -> None:
    code_confirmation().confirm(user.id, body.code.get_secret_value())
