"""POST /auth/login: a pair of tokens for an e-mail address and its password (AUTH-003, AUTH-006)."""

from common.domain.shared_errors import CaptchaFailed
from common.http.endpoint import count_request, endpoint
from common.http.request import Body, Request
from common.protection.rate_class import LOGIN
from functions.auth.domain.account_fields import CaptchaToken, Email, OfferedPassword
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import AccountLocked, InvalidCredentials
from functions.auth.handlers.responses.token_pair_response import TokenPairResponse, token_pair_response
from functions.auth.wiring.login import login
from functions.auth.wiring.lookup_hash import lookup


class LoginBody(Body):
    email: Email
    password: OfferedPassword
    captcha_token: CaptchaToken


@endpoint(limit=LOGIN, bot_check=True, raises=[CaptchaFailed, InvalidCredentials, AccountLocked])
def handler(request: Request, body: LoginBody) -> TokenPairResponse:
    count_request(LOGIN, lookup()("email", body.email).hex())
    password, captcha_token = body.password.get_secret_value(), body.captcha_token.get_secret_value()
    caller = Caller.of(request.source_ip, request.headers)
    return token_pair_response(login().log_in(body.email, password, captcha_token, caller))
