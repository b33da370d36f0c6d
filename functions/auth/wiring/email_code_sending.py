"""Mailing a code to an account's address."""

from functools import cache
from secrets import randbelow

from common.runtime.settings import Settings
from common.wiring.redis_client import redis_client
from functions.auth.adapters.clients.mailer import Mailer
from functions.auth.adapters.email_code_redis import EmailCodes
from functions.auth.usecases.email_verification import CodeSending
from functions.auth.wiring.lookup_hash import lookup
from functions.auth.wiring.personal_data import accounts


class MailSettings(Settings):
    mail_sender: str


def _new_code() -> str:
    return f"{randbelow(1_000_000):06}"


@cache
def code_sending() -> CodeSending:
    codes, mailer = EmailCodes(redis_client()), Mailer(MailSettings.from_environment().mail_sender)
    return CodeSending(accounts(), codes, lookup(), mailer, _new_code)
