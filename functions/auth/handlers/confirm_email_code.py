"""PUT /users/me/email-verification: the code that was mailed (AUTH-022)."""

from functools import cache

from common.domain.clock import utc_now
from common.http.endpoint import endpoint
from common.http.request import Body, User
from common.stores import redis
from functions.auth.adapters.email_code_redis import EmailCodeStore
from functions.auth.domain.account_fields import MailedCode
from functions.auth.domain.errors import CodeInvalid
from functions.auth.usecases.email_verification import CodeConfirmation
from functions.auth.wiring.personal_data import accounts, vault


class ConfirmBody(Body):
    code: MailedCode


@cache
def code_confirmation() -> CodeConfirmation:
    return CodeConfirmation(accounts(), EmailCodeStore(redis.client()), vault().lookup, utc_now)


@endpoint(raises=[CodeInvalid])
def handler(user: User, body: ConfirmBody) -> None:
    code_confirmation().confirm(user.id, body.code.get_secret_value())
