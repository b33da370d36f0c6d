"""How PortOne's responses are read: which payments are trusted, and which cancellations succeeded."""

from contextlib import nullcontext
from typing import Any
from uuid import uuid4

import httpx
import pytest

from common.domain.ids import PaymentId
from functions.payments.adapters.clients.portone import PortOne
from functions.payments.domain.payment_gateway import GatewayRejected

CHANNEL = "channel-key-live"
PAID = {"status": "PAID", "amount": {"total": 1000}, "currency": "KRW", "channel": {"type": "LIVE", "key": CHANNEL}}


def portone(answer: dict[str, Any]) -> PortOne:
    client = httpx.Client(
        base_url="http://portone", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    )
    return PortOne(client, lambda *_: None, nullcontext, CHANNEL)


@pytest.mark.parametrize(
    ("reported", "is_trusted"),
    [
        ({}, True),
        ({"channel": {"type": "TEST", "key": CHANNEL}}, True),  # of a stage without real sales
        ({"channel": {"type": "TEST", "key": "channel-key-test"}}, False),
        ({"channel": {"type": "LIVE", "key": "channel-key-other"}}, False),
        ({"channel": {"type": "LIVE"}}, True),
        ({"channel": {"type": "TEST"}}, False),
        ({"channel": None}, False),
        ({"currency": "VND"}, False),
        ({"currency": None}, False),
    ],
)
def test_only_payments_in_krw_through_our_channel_are_trusted(reported: dict[str, Any], is_trusted: bool) -> None:
    view = portone(PAID | reported).view(PaymentId(uuid4()))
    assert view is not None
    assert view.is_trusted is is_trusted


@pytest.mark.parametrize("status", ["REQUESTED", "FAILED"])
def test_a_cancellation_that_did_not_succeed_is_an_error(status: str) -> None:
    with pytest.raises(GatewayRejected, match=status):
        portone({"cancellation": {"status": status}}).cancel(PaymentId(uuid4()), 1000, "why", 1000, "key")


def test_a_cancellation_that_succeeded_is_no_error() -> None:
    portone({"cancellation": {"status": "SUCCEEDED"}}).cancel(PaymentId(uuid4()), 1000, "why", 1000, "key")
