"""GET /.well-known/ticket-keys.json: the keys (RFC 8037) with which doors check tickets offline (RSV-010).

A door fetches them once before the event. A new key is put into `ticket/verification` before it becomes the first of
`ticket`, and an old one stays as long as a ticket that it signed may be shown.
"""

from typing import Literal

from common.domain.model import Model
from common.http.endpoint import Response, endpoint
from functions.reservations.wiring.ticket_keys import ticket_keys

CACHE_SECONDS = 3600


class TicketKeyResponse(Model):
    """Only the public members: whatever else the secret holds is not shown."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class TicketKeysResponse(Model):
    keys: list[TicketKeyResponse]


@endpoint(limit=None, responses={200: TicketKeysResponse})
def handler() -> Response:
    return Response(
        TicketKeysResponse.model_validate(ticket_keys()),
        headers={"Cache-Control": f"public, max-age={CACHE_SECONDS}"},
    )
