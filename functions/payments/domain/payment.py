"""A payment, and the only ways in which its state may change (PAY-003).

PENDING ── money arrived, right amount ──▶ SUCCESS ── given back, in part or whole ──▶ REFUNDED
   └────── declined, never paid, wrong amount, hold gone ──▶ FAILED, and whatever is paid is given back

Money is given back only of a payment that is recorded FAILED, or owed by a refund: never on a stale reading.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from functions.payments.domain.payment_gateway import BankView


class Status(StrEnum):
    PENDING = "PENDING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


@dataclass(frozen=True)
class Payment:
    id: UUID
    payment_key: str
    reservation_id: UUID
    event_id: UUID
    user_id: UUID
    order_name: str
    amount: int  # won
    method: str
    status: Status
    created_at: datetime
    preregistered_at: datetime | None = None
    portone_transaction_id: str | None = None
    failure_reason: str | None = None
    refunded_amount: int = 0
    paid_at: datetime | None = None
    owed_since: datetime | None = None  # when money was seen at PortOne for it, though it is FAILED

    @property
    def settled(self) -> bool:
        """Whether nothing that PortOne says changes it any more: its money is ours, or a refund has it back."""
        return self.status in (Status.SUCCESS, Status.REFUNDED)


@dataclass(frozen=True)
class Succeed:
    """Record the money: PENDING → SUCCESS."""


@dataclass(frozen=True)
class Fail:
    """No money is with us: PENDING → FAILED."""

    reason: str


@dataclass(frozen=True)
class GiveBack:
    """Money is with us for a payment that is FAILED: cancel it at PortOne."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing is decided yet, or nothing is left to do."""


Step = Succeed | Fail | GiveBack | Wait


def next_step(payment: Payment, bank: BankView | None) -> Step:
    """What PortOne's view of a payment asks of us: the one decision behind confirm, webhook and settle.

    The same view again, in any order and number, leads to the same end.
    """
    if bank is None:
        return Wait()
    if payment.status is Status.PENDING:
        if bank.money_taken:
            if not bank.ours:
                return Fail("WRONG_CHANNEL")
            return Succeed() if bank.total == payment.amount and not bank.cancelled else Fail("AMOUNT_MISMATCH")
        if bank.status in ("FAILED", "CANCELLED"):
            return Fail(bank.failure or bank.status)
        return Wait()
    if payment.status is Status.FAILED and bank.money_taken:
        return GiveBack(payment.failure_reason or "FAILED")
    return Wait()
