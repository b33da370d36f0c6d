"""POST /auth/refresh: a refresh token for the next pair, once (AUTH-009)."""

from common.domain.shared_errors import TokenExpired, TokenInvalid
from common.http.endpoint import endpoint
from common.http.request import Body
from functions.auth.bounds import RefreshToken
from functions.auth.composition import sessions
from functions.auth.errors import TokenReused
from functions.auth.token_pair_answer import TokenPairAnswer, token_pair_answer


class RefreshBody(Body):
    refresh_token: RefreshToken


@endpoint(raises=[TokenExpired, TokenInvalid, TokenReused])
def handler(body: RefreshBody) -> TokenPairAnswer:
    return token_pair_answer(sessions().renew(body.refresh_token.get_secret_value()))
