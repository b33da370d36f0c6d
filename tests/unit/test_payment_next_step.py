"""The decision that confirm, webhook and settle share: the step that follows from a gateway view (PAY-010)."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from common.domain.ids import EventId, PaymentId, ReservationId, UserId
from functions.payments.domain.payment import (
    Decline,
    Fail,
    Payment,
    PaymentStatus,
    Reverse,
    Step,
    Succeed,
    Wait,
    next_step,
)
from functions.payments.domain.payment_gateway import GatewayView

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)
PAYMENT = Payment(
    id=PaymentId(uuid4()),
    payment_key="k" * 8,
    reservation_id=ReservationId(uuid4()),
    event_id=EventId(uuid4()),
    user_id=UserId(uuid4()),
    order_name="Tour 2매",
    amount=300_000,
    method="CARD",
    status=PaymentStatus.PENDING,
    created_at=NOW,
)
PAID = GatewayView(status="PAID", total=300_000, cancelled=0, transaction_id="tx", paid_at=NOW)


@pytest.mark.parametrize(
    ("status", "view", "step"),
    [
        (PaymentStatus.PENDING, None, Wait()),
        (PaymentStatus.PENDING, replace(PAID, status="READY"), Wait()),
        (PaymentStatus.PENDING, replace(PAID, status="PAY_PENDING"), Wait()),
        (PaymentStatus.PENDING, replace(PAID, status="SOMETHING_NEW"), Wait()),
        (PaymentStatus.PENDING, PAID, Succeed()),
        (PaymentStatus.PENDING, replace(PAID, is_trusted=False), Fail("WRONG_CHANNEL")),
        (PaymentStatus.PENDING, replace(PAID, total=299_999), Fail("AMOUNT_MISMATCH")),
        (PaymentStatus.PENDING, replace(PAID, total=300_001), Fail("AMOUNT_MISMATCH")),
        (PaymentStatus.PENDING, replace(PAID, status="PARTIAL_CANCELLED", cancelled=1), Fail("AMOUNT_MISMATCH")),
        (PaymentStatus.PENDING, replace(PAID, status="FAILED", failure="limit exceeded"), Decline("limit exceeded")),
        (PaymentStatus.PENDING, replace(PAID, status="CANCELLED", cancelled=300_000), Fail("CANCELLED")),
        (PaymentStatus.SUCCESS, PAID, Wait()),
        (PaymentStatus.SUCCESS, replace(PAID, status="CANCELLED", cancelled=300_000), Wait()),
        (PaymentStatus.REFUNDED, replace(PAID, status="PARTIAL_CANCELLED", cancelled=100), Wait()),
        (PaymentStatus.FAILED, replace(PAID, status="FAILED"), Wait()),
        (PaymentStatus.FAILED, replace(PAID, status="CANCELLED", cancelled=300_000), Wait()),
        (PaymentStatus.FAILED, PAID, Reverse("NOT_PAID")),
        (PaymentStatus.FAILED, replace(PAID, is_trusted=False), Reverse("NOT_PAID")),
    ],
)
def test_every_gateway_view_leads_to_the_step_that_loses_no_money(
    status: PaymentStatus, view: GatewayView | None, step: Step
) -> None:
    reason = "NOT_PAID" if status is PaymentStatus.FAILED else None
    assert next_step(replace(PAYMENT, status=status, failure_reason=reason), view) == step
