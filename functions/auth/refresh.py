"""POST /auth/refresh: a refresh token for the next pair, once (AUTH-009)."""

from common.domain.problem import TOKEN_EXPIRED, TOKEN_INVALID
from common.http.endpoint import endpoint
from common.http.request import Body
from functions.auth.bounds import RefreshToken
from functions.auth.composition import sessions
from functions.auth.problems import TOKEN_REUSED
from functions.auth.token_pair_answer import TokenPairAnswer, token_pair_answer


class RefreshBody(Body):
    refresh_token: RefreshToken


@endpoint(refuses=[TOKEN_EXPIRED, TOKEN_INVALID, TOKEN_REUSED])
def handler(body: RefreshBody) -> TokenPairAnswer:
    return token_pair_answer(sessions().renew(body.refresh_token.get_secret_value()))
