"""POST /auth/refresh: exchange a refresh token for the next pair, once (AUTH-009)."""

from common.domain.shared_errors import TokenExpired, TokenInvalid
from common.http.endpoint import endpoint
from common.http.request import Body
from functions.auth.domain.account_fields import RefreshToken
from functions.auth.domain.errors import TokenReused
from functions.auth.handlers.responses.token_pair_response import TokenPairResponse, token_pair_response
from functions.auth.wiring.sessions import sessions


class RefreshBody(Body):
    refresh_token: RefreshToken


@endpoint(raises=[TokenExpired, TokenInvalid, TokenReused])
def handler(body: RefreshBody) -> TokenPairResponse:
    return token_pair_response(sessions().renew(body.refresh_token.get_secret_value()))
