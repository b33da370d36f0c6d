"""POST /users/me/email-verification: a code to the user's address, once a minute at most (AUTH-022)."""

from functools import cache
from secrets import randbelow

from common.http.endpoint import Answer, endpoint
from common.http.request import Request, User
from common.runtime.settings import Settings
from common.stores import redis
from functions.auth.adapters.clients.mailer import Mailer
from functions.auth.adapters.email_code_redis import EmailCodeStore
from functions.auth.usecases.email_verification import CodeSending
from functions.auth.wiring.personal_data import accounts, vault


class MailSettings(Settings):
    mail_sender: str


def _new_code() -> str:
    return f"{randbelow(1_000_000):06}"


@cache
def code_sending() -> CodeSending:
    codes, mailer = EmailCodeStore(redis.client()), Mailer(MailSettings.from_environment().mail_sender)
    return CodeSending(accounts(), codes, vault().lookup, mailer, _new_code)


@endpoint(answers={202: None})
def handler(request: Request, user: User) -> Answer:
    code_sending().send(user.id, request.language)
    return Answer(None, 202)
