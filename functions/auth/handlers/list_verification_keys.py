"""GET /.well-known/jwks.json: the keys that verify access tokens (RFC 7517), for clients that check tokens themselves.

The key that will sign after the next rotation is included, so a client that caches this response knows every key.
"""

from typing import Literal

from common.domain.model import Model
from common.http.endpoint import Response, endpoint
from common.wiring.secret_cache import secret
from functions.auth.domain.signing_keys import JWKS_MAX_AGE_SECONDS


class PublicKeyResponse(Model):
    """The public members only: everything else in the secret stays there."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    use: Literal["sig"]
    alg: Literal["ES256"]


class JwksResponse(Model):
    keys: list[PublicKeyResponse]


@endpoint(limit=None, responses={200: JwksResponse})
def handler() -> Response:
    return Response(
        JwksResponse.model_validate(secret("jwt/verification")),
        headers={"Cache-Control": f"public, max-age={JWKS_MAX_AGE_SECONDS}"},
    )
