"""GET /.well-known/ticket-keys.json: what verifies tickets (RFC 8037), for doors that check them offline (RSV-010).

A door fetches it once before the show. A new key is put into `ticket/verification` before it becomes the first of
`ticket`, and an old one stays as long as a ticket it signed may be shown.
"""

from typing import Literal

from common.domain.model import Model
from common.http.endpoint import Answer, endpoint
from common.stores.secrets import secret

KEEP_SECONDS = 3600


class TicketKeyAnswer(Model):
    """The public members and no other: whatever else the secret holds stays there."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class TicketKeysAnswer(Model):
    keys: list[TicketKeyAnswer]


@endpoint(limit=None, answers={200: TicketKeysAnswer})
def handler() -> Answer:
    return Answer(
        TicketKeysAnswer.model_validate(secret("ticket/verification")),
        headers={"Cache-Control": f"public, max-age={KEEP_SECONDS}"},
    )
