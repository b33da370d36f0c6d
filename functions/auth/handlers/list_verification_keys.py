"""GET /.well-known/jwks.json: the keys that verify access tokens (RFC 7517), for whoever wants to check one.

The key that will sign after the next rotation is among them already: whoever keeps this answer meets no unknown key.
"""

from typing import Literal

from common.domain.model import Model
from common.http.endpoint import Answer, endpoint
from common.stores.secrets import secret

KEEP_SECONDS = 300


class PublicKeyAnswer(Model):
    """The public members and no other: whatever else the secret holds stays there."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    use: Literal["sig"]
    alg: Literal["ES256"]


class JwksAnswer(Model):
    keys: list[PublicKeyAnswer]


@endpoint(limit=None, answers={200: JwksAnswer})
def handler() -> Answer:
    return Answer(
        JwksAnswer.model_validate(secret("jwt/verification")),
        headers={"Cache-Control": f"public, max-age={KEEP_SECONDS}"},
    )
