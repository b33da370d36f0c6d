"""A webhook is accepted only if PortOne signed it; no malformed signature causes an error."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from common.http.request import Request
from functions.payments.handlers import receive_webhook
from functions.payments.handlers.receive_webhook import _is_signed, _payment_id
from functions.payments.wiring import secrets as payment_secrets

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
BODY = json.dumps({"type": "Transaction.Paid", "data": {"paymentId": "019ab0c0-0000-7000-8000-000000000001"}})


def request(signature: str | None = None, at: datetime | None = None) -> Request:
    now = at or datetime.now(UTC)
    signed = signature or Webhook(SECRET).sign("msg_1", now, BODY)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signed}
    return Request.of({"headers": headers, "body": BODY})


def test_a_signature_by_portone_is_accepted() -> None:
    assert _is_signed(BODY.encode(), request(), SECRET)
    assert not _is_signed(BODY.encode() + b" ", request(), SECRET)


@pytest.mark.parametrize("signature", ["v1", "v1,a", "v1,a,b", "v1,\xe9AAA", "v1,AAAA", "v2,AAAA", " ", "," * 100])
def test_a_malformed_signature_is_rejected(signature: str) -> None:
    assert not _is_signed(BODY.encode(), request(signature), SECRET)


def test_an_old_webhook_is_rejected() -> None:
    assert not _is_signed(BODY.encode(), request(at=datetime(2026, 1, 1, tzinfo=UTC)), SECRET)


@pytest.mark.parametrize("other_first", [True, False])
def test_either_of_two_secrets_verifies_a_webhook(monkeypatch: pytest.MonkeyPatch, other_first: bool) -> None:
    """While one replaces the other, PortOne may use either."""
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    secrets = [other, SECRET] if other_first else [SECRET, other]
    monkeypatch.setattr(payment_secrets, "portone_secret", lambda: {"webhookSecrets": secrets})
    sent = {"body": json.dumps({"type": "BillingKey.Ready"})}  # not about a payment: nothing else is called
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", now, sent["body"])
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    assert receive_webhook.handler({**sent, "headers": headers}, None)["statusCode"] == 200


@pytest.mark.parametrize("body", [[], {}, {"data": None}, {"data": {}}, {"data": {"paymentId": 7}}])
def test_a_webhook_without_a_valid_payment_id_is_ignored(body: Any) -> None:
    assert _payment_id(json.dumps(body).encode()) is None
