"""The one decision behind confirm, webhook and settle: what PortOne's view of a payment asks of us (PAY-010)."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from functions.payments.domain.payment import Fail, GiveBack, Payment, Status, Step, Succeed, Wait, next_step
from functions.payments.domain.payment_gateway import BankView

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)
PAYMENT = Payment(
    id=uuid4(),
    payment_key="k" * 8,
    reservation_id=uuid4(),
    event_id=uuid4(),
    user_id=uuid4(),
    order_name="Tour 2매",
    amount=300_000,
    method="CARD",
    status=Status.PENDING,
    created_at=NOW,
)
PAID = BankView(status="PAID", total=300_000, cancelled=0, transaction_id="tx", paid_at=NOW)


@pytest.mark.parametrize(
    ("ours", "bank", "step"),
    [
        (Status.PENDING, None, Wait()),
        (Status.PENDING, replace(PAID, status="READY"), Wait()),
        (Status.PENDING, replace(PAID, status="PAY_PENDING"), Wait()),
        (Status.PENDING, replace(PAID, status="SOMETHING_NEW"), Wait()),
        (Status.PENDING, PAID, Succeed()),
        (Status.PENDING, replace(PAID, ours=False), Fail("WRONG_CHANNEL")),
        (Status.PENDING, replace(PAID, total=299_999), Fail("AMOUNT_MISMATCH")),
        (Status.PENDING, replace(PAID, total=300_001), Fail("AMOUNT_MISMATCH")),
        (Status.PENDING, replace(PAID, status="PARTIAL_CANCELLED", cancelled=1), Fail("AMOUNT_MISMATCH")),
        (Status.PENDING, replace(PAID, status="FAILED", failure="limit exceeded"), Fail("limit exceeded")),
        (Status.PENDING, replace(PAID, status="CANCELLED", cancelled=300_000), Fail("CANCELLED")),
        (Status.SUCCESS, PAID, Wait()),
        (Status.SUCCESS, replace(PAID, status="CANCELLED", cancelled=300_000), Wait()),
        (Status.REFUNDED, replace(PAID, status="PARTIAL_CANCELLED", cancelled=100), Wait()),
        (Status.FAILED, replace(PAID, status="FAILED"), Wait()),
        (Status.FAILED, replace(PAID, status="CANCELLED", cancelled=300_000), Wait()),
        (Status.FAILED, PAID, GiveBack("NOT_PAID")),
        (Status.FAILED, replace(PAID, ours=False), GiveBack("NOT_PAID")),
    ],
)
def test_a_view_leads_to_its_step_and_to_none_that_loses_a_won(ours: Status, bank: BankView | None, step: Step) -> None:
    reason = "NOT_PAID" if ours is Status.FAILED else None
    assert next_step(replace(PAYMENT, status=ours, failure_reason=reason), bank) == step
