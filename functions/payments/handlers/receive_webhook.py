"""POST /payments/webhook: PortOne tells that something happened to a payment; what, its API is asked.

Signed as Standard Webhooks (standardwebhooks.com), five minutes' tolerance, two secrets valid while one replaces the
other. An answer other than 200 makes PortOne send it again.
"""

import json
from uuid import UUID

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from common.domain.model import Model
from common.http.endpoint import endpoint
from common.http.request import Request
from common.stores.secrets import secret
from functions.payments.domain.errors import PaymentUnavailable, SignatureInvalid
from functions.payments.domain.payment_gateway import PortOneAway, PortOneRefused
from functions.payments.wiring.checkout import checkout


class Received(Model):
    received: bool = True


@endpoint(limit=None, raises=[SignatureInvalid, PaymentUnavailable])
def handler(request: Request) -> Received:
    body = request.raw_body
    if not any(_signed(body, request, each) for each in secret("portone")["webhookSecrets"]):
        raise SignatureInvalid()
    payment_id = _payment_id(body)
    if payment_id is not None:
        try:
            checkout().notice(payment_id)
        except (PortOneAway, PortOneRefused) as error:
            raise PaymentUnavailable() from error
    return Received()


def _signed(body: bytes, request: Request, webhook_secret: str) -> bool:
    try:
        Webhook(webhook_secret).verify(body, request.headers)
    except (WebhookVerificationError, ValueError):  # the library lets malformed base64 through as a ValueError
        return False
    return True


def _payment_id(body: bytes) -> UUID | None:
    """Which payment it is about; None for what is no payment of ours (unknown types are to be ignored)."""
    try:
        return UUID(str(json.loads(body)["data"]["paymentId"]))
    except (KeyError, ValueError, TypeError):
        return None
