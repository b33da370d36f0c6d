"""POST /auth/login: a pair of tokens for an e-mail address and its password (AUTH-003, AUTH-006)."""

from functools import cache

from common.domain.shared_errors import CaptchaFailed
from common.http.endpoint import count, endpoint
from common.http.request import Body, Request
from common.protection.captcha import captcha
from common.protection.rate_class import LOGIN
from functions.auth.adapters.lockout_redis import lockout
from functions.auth.adapters.password_hasher import password_hasher
from functions.auth.domain.account_fields import CaptchaToken, Email, OfferedPassword
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import AccountLocked, InvalidCredentials
from functions.auth.handlers.responses.token_pair_response import TokenPairAnswer, token_pair_answer
from functions.auth.usecases.login import SignIn
from functions.auth.wiring.personal_data import accounts, login_history, sessions, vault


class LoginBody(Body):
    email: Email
    password: OfferedPassword
    captcha_token: CaptchaToken


@cache
def sign_in() -> SignIn:
    return SignIn(captcha(), accounts(), vault().lookup, lockout(), password_hasher(), login_history(), sessions())


@endpoint(limit=LOGIN, bots=True, raises=[CaptchaFailed, InvalidCredentials, AccountLocked])
def handler(request: Request, body: LoginBody) -> TokenPairAnswer:
    count(LOGIN, vault().lookup("email", body.email).hex())
    password, captcha_token = body.password.get_secret_value(), body.captcha_token.get_secret_value()
    return token_pair_answer(sign_in().sign_in(body.email, password, captcha_token, Caller.of(request)))
