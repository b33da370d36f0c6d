"""POST /payments/webhook: PortOne reports that a payment changed; the change itself is read from PortOne's API.

Signed as Standard Webhooks (standardwebhooks.com), with five minutes' tolerance; two secrets are valid while one
replaces the other. PortOne sends the webhook again after any response other than 200.
"""

import json
from uuid import UUID

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from common.domain.ids import PaymentId
from common.domain.model import Model
from common.http.endpoint import endpoint
from common.http.request import Request
from functions.payments.domain.errors import PaymentUnavailable, SignatureInvalid
from functions.payments.domain.payment_gateway import GatewayError
from functions.payments.wiring import gateway_sync, secrets


class Received(Model):
    received: bool = True


@endpoint(limit=None, raises=[SignatureInvalid, PaymentUnavailable])
def handler(request: Request) -> Received:
    body = request.raw_body
    if not any(_is_signed(body, request, each) for each in secrets.portone_secret()["webhookSecrets"]):
        raise SignatureInvalid()
    payment_id = _payment_id(body)
    if payment_id is not None:
        try:
            gateway_sync.sync_with_gateway().handle_webhook(payment_id)
        except GatewayError as error:
            raise PaymentUnavailable() from error
    return Received()


def _is_signed(body: bytes, request: Request, webhook_secret: str) -> bool:
    try:
        Webhook(webhook_secret).verify(body, request.headers)
    except (WebhookVerificationError, ValueError):  # the library raises ValueError for malformed base64
        return False
    return True


def _payment_id(body: bytes) -> PaymentId | None:
    """The payment that the webhook is about; None if it is about something else (unknown types must be ignored)."""
    try:
        return PaymentId(UUID(str(json.loads(body)["data"]["paymentId"])))
    except (KeyError, ValueError, TypeError):
        return None
