"""POST /auth/refresh: exchange a refresh token for the next pair (AUTH-009)."""

from common.domain.shared_errors import TokenExpired, TokenInvalid
from common.http.endpoint import endpoint
from common.http.request import Body, Request
from functions.auth.domain.account_fields import RefreshToken
from functions.auth.domain.errors import TokenReused
from functions.auth.domain.session import device_hash
from functions.auth.handlers.responses.token_pair_response import TokenPairResponse, token_pair_response
from functions.auth.wiring.sessions import sessions


class RefreshBody(Body):
    refresh_token: RefreshToken


@endpoint(raises=[TokenExpired, TokenInvalid, TokenReused])
def handler(request: Request, body: RefreshBody) -> TokenPairResponse:
    pair = sessions().renew(body.refresh_token.get_secret_value(), device_hash(request.headers))
    return token_pair_response(pair)
