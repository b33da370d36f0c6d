"""POST /auth/login: a pair of tokens for an e-mail address and its password (AUTH-003, AUTH-006)."""

from functools import cache

from common.edge import endpoint
from common.request import Body
from functions.auth.bounds import CaptchaToken, Email, OfferedPassword
from functions.auth.captcha import captcha
from functions.auth.composition import accounts, sessions
from functions.auth.password_hasher import PasswordHasher
from functions.auth.sign_in import SignIn
from functions.auth.token_pair_answer import TokenPairAnswer, token_pair_answer


class LoginBody(Body):
    email: Email
    password: OfferedPassword
    captcha_token: CaptchaToken


@cache
def sign_in() -> SignIn:
    return SignIn(captcha(), accounts(), PasswordHasher(), sessions())


@endpoint
def handler(body: LoginBody) -> TokenPairAnswer:
    return token_pair_answer(
        sign_in().sign_in(body.email, body.password.get_secret_value(), body.captcha_token.get_secret_value())
    )
