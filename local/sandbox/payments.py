"""The simulated payments of PortOne: transitions of a payment as pure functions, and the store of all payments.

Every transition takes a payment and the time, and returns the changed payment with the changes to send as webhooks, or
raises `PaymentRejected`. All amounts are whole won.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from local.sandbox.clock import Clock


class Status(StrEnum):
    """The PortOne statuses of a card payment. PAY_PENDING is for PayPal, VIRTUAL_ACCOUNT_ISSUED for transfers."""

    READY = "READY"
    PAID = "PAID"
    FAILED = "FAILED"
    PARTIAL_CANCELLED = "PARTIAL_CANCELLED"
    CANCELLED = "CANCELLED"


class ErrorType(StrEnum):
    """Why a transition is rejected: PortOne's own error types."""

    ALREADY_PAID = "ALREADY_PAID"
    CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN = "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"
    CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT = "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"
    INFORMATION_MISMATCH = "INFORMATION_MISMATCH"
    INVALID_PAYMENT_TOKEN = "INVALID_PAYMENT_TOKEN"  # noqa: S105  (an error type, not a password)
    PAYMENT_ALREADY_CANCELLED = "PAYMENT_ALREADY_CANCELLED"
    PAYMENT_NOT_FOUND = "PAYMENT_NOT_FOUND"
    PAYMENT_NOT_PAID = "PAYMENT_NOT_PAID"
    PG_PROVIDER = "PG_PROVIDER"


class PaymentRejected(Exception):
    """The transition is not allowed; nothing has changed."""

    def __init__(self, error_type: ErrorType, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


class WebhookType(StrEnum):
    """The type of a webhook, without PortOne's prefix `Transaction.`."""

    READY = "Ready"
    PAID = "Paid"
    FAILED = "Failed"
    PARTIAL_CANCELLED = "PartialCancelled"
    CANCELLED = "Cancelled"


@dataclass(frozen=True)
class Change:
    """One change of a payment, to be sent to the merchant."""

    webhook_type: WebhookType
    payment_id: str
    transaction_id: str
    at: datetime
    cancellation_id: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One attempt of the buyer in the payment window. A payment may have several; the last one counts."""

    transaction_id: str
    amount: int
    payment_token: str | None = None  # with manual approval only


@dataclass(frozen=True)
class Cancellation:
    """One amount returned to the buyer."""

    id: str
    amount: int
    reason: str
    at: datetime


@dataclass(frozen=True)
class Payment:
    """A payment at the payment gateway."""

    id: str
    requested_at: datetime
    changed_at: datetime
    registered_amount: int | None = None
    attempt: Attempt | None = None  # None until the buyer acts
    status: Status = Status.READY
    paid_at: datetime | None = None
    failed_at: datetime | None = None
    cancellations: tuple[Cancellation, ...] = ()

    @property
    def paid_amount(self) -> int:
        """The amount taken from the buyer; returned amounts are not subtracted."""
        return self.attempt.amount if self.attempt and self.paid_at else 0

    @property
    def cancelled_amount(self) -> int:
        """The sum of all amounts returned to the buyer."""
        return sum(cancellation.amount for cancellation in self.cancellations)

    @property
    def cancellable_amount(self) -> int:
        """The amount that can still be returned."""
        return self.paid_amount - self.cancelled_amount


Transition = tuple[Payment, tuple[Change, ...]]


def pre_register(payment: Payment | None, payment_id: str, amount: int, now: datetime) -> Payment:
    """Sets the amount that the buyer must pay. May be repeated until the payment is paid."""
    if payment is None:
        return Payment(id=payment_id, requested_at=now, changed_at=now, registered_amount=amount)
    _check_not_paid(payment)
    return replace(payment, registered_amount=amount)


def authorize(payment: Payment, amount: int | None, transaction_id: str, token: str, now: datetime) -> Transition:
    """The buyer agrees and the card is accepted, but no money moves before `confirm`. Older tokens become invalid."""
    opened, changes = _open(payment, amount, transaction_id, token, now)
    return opened, changes


def pay(payment: Payment, amount: int | None, transaction_id: str, now: datetime) -> Transition:
    """The buyer pays and the money is taken at once (automatic approval)."""
    opened, changes = _open(payment, amount, transaction_id, None, now)
    paid, taken = _take(opened, now)
    return paid, changes + taken


def fail(payment: Payment, amount: int | None, transaction_id: str, now: datetime) -> Transition:
    """The card is declined. An authorization that waits for its confirm fails; otherwise a new attempt fails."""
    changes: tuple[Change, ...] = ()
    if payment.status is not Status.READY or payment.attempt is None or payment.attempt.payment_token is None:
        payment, changes = _open(payment, amount, transaction_id, None, now)
    failed = replace(payment, status=Status.FAILED, failed_at=now, changed_at=now)
    return failed, (*changes, _change(failed, WebhookType.FAILED, now))


def confirm(
    payment: Payment,
    token: str,
    now: datetime,
    *,
    total_amount: int | None = None,
    transaction_id: str | None = None,
) -> Transition:
    """The merchant takes the money of an authorized attempt. Its optional arguments must match the payment."""
    attempt = _attempt(payment)
    _check_not_paid(payment)
    if attempt.payment_token != token:
        raise PaymentRejected(
            ErrorType.INVALID_PAYMENT_TOKEN, "The payment token does not belong to this payment's last attempt"
        )
    if payment.status is Status.FAILED:
        # An authorization can fail before its confirm; the card company then declines the confirm.
        raise PaymentRejected(ErrorType.PG_PROVIDER, "The card company declined the payment")
    if total_amount is not None and total_amount != attempt.amount:
        raise PaymentRejected(ErrorType.INFORMATION_MISMATCH, "totalAmount is not the amount of the payment")
    if transaction_id is not None and transaction_id != attempt.transaction_id:
        raise PaymentRejected(ErrorType.INFORMATION_MISMATCH, "txId is not the last attempt's")
    return _take(payment, now)


def cancel(
    payment: Payment,
    cancellation_id: str,
    reason: str,
    now: datetime,
    *,
    amount: int | None = None,
    current_cancellable_amount: int | None = None,
) -> Transition:
    """Returns `amount` to the buyer, or all that is left. `current_cancellable_amount` is a compare-and-set."""
    _attempt(payment)
    if payment.status is Status.CANCELLED:
        raise PaymentRejected(ErrorType.PAYMENT_ALREADY_CANCELLED, "Everything has already been returned")
    if payment.paid_at is None:
        raise PaymentRejected(ErrorType.PAYMENT_NOT_PAID, "No money has been taken")
    left = payment.cancellable_amount
    if current_cancellable_amount is not None and current_cancellable_amount != left:
        raise PaymentRejected(
            ErrorType.CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN,
            f"{left} won can be cancelled, not {current_cancellable_amount}",
        )
    returned = left if amount is None else amount
    if returned > left:
        raise PaymentRejected(ErrorType.CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT, f"Only {left} won can be cancelled")
    whole = returned == left
    cancelled = replace(
        payment,
        status=Status.CANCELLED if whole else Status.PARTIAL_CANCELLED,
        changed_at=now,
        cancellations=(*payment.cancellations, Cancellation(cancellation_id, returned, reason, now)),
    )
    webhook_type = WebhookType.CANCELLED if whole else WebhookType.PARTIAL_CANCELLED
    return cancelled, (_change(cancelled, webhook_type, now, cancellation_id),)


def _open(payment: Payment, amount: int | None, transaction_id: str, token: str | None, now: datetime) -> Transition:
    _check_not_paid(payment)
    # PortOne enforces the pre-registered amount. Here an explicit amount wins, so that a merchant's own check of the
    # amount (AMOUNT_MISMATCH) can be tested.
    charged = payment.registered_amount if amount is None else amount
    if charged is None:
        raise PaymentRejected(ErrorType.PAYMENT_NOT_FOUND, "Neither a pre-registered amount nor an amount to pay")
    opened = replace(
        payment,
        attempt=Attempt(transaction_id, charged, token),
        status=Status.READY,
        failed_at=None,
        changed_at=now,
    )
    return opened, (_change(opened, WebhookType.READY, now),)


def _take(payment: Payment, now: datetime) -> Transition:
    paid = replace(payment, status=Status.PAID, paid_at=now, changed_at=now)
    return paid, (_change(paid, WebhookType.PAID, now),)


def _attempt(payment: Payment) -> Attempt:
    # At PortOne a pre-registration is not yet a payment: it is not found until the buyer's window opens.
    if payment.attempt is None:
        raise PaymentRejected(ErrorType.PAYMENT_NOT_FOUND, "No such payment")
    return payment.attempt


def _check_not_paid(payment: Payment) -> None:
    if payment.paid_at is not None:
        raise PaymentRejected(ErrorType.ALREADY_PAID, "The payment has already been paid")


def _change(payment: Payment, webhook_type: WebhookType, at: datetime, cancellation_id: str | None = None) -> Change:
    return Change(webhook_type, payment.id, _attempt(payment).transaction_id, at, cancellation_id)


class Payments:
    """Stores payments, applies transitions, and calls `on_change` after each change.

    Nothing awaits, so on one event loop every call is atomic.
    """

    def __init__(self, clock: Clock, new_id: Callable[[], str], on_change: Callable[[Change], None]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._on_change = on_change
        self._payments: dict[str, Payment] = {}

    def get(self, payment_id: str) -> Payment:
        """The payment, pre-registered ones included; rejects with PAYMENT_NOT_FOUND."""
        payment = self._payments.get(payment_id)
        if payment is None:
            raise PaymentRejected(ErrorType.PAYMENT_NOT_FOUND, "No such payment")
        return payment

    def all(self) -> list[Payment]:
        """Every payment, pre-registered ones included, the oldest first."""
        return list(self._payments.values())

    def get_with_attempt(self, payment_id: str) -> tuple[Payment, Attempt]:
        """The payment with its last attempt; rejects with PAYMENT_NOT_FOUND before the buyer acts."""
        payment = self.get(payment_id)
        return payment, _attempt(payment)

    def pre_register(self, payment_id: str, amount: int) -> None:
        """See `pre_register`."""
        payment = pre_register(self._payments.get(payment_id), payment_id, amount, self._clock())
        self._payments[payment_id] = payment

    def authorize(self, payment_id: str, amount: int | None) -> str:
        """See `authorize`. Returns the payment token."""
        token = f"payment-token-{self._new_id()}"
        self._apply(authorize(self._begin(payment_id), amount, self._new_id(), token, self._clock()))
        return token

    def pay(self, payment_id: str, amount: int | None) -> Payment:
        """See `pay`."""
        return self._apply(pay(self._begin(payment_id), amount, self._new_id(), self._clock()))

    def fail(self, payment_id: str, amount: int | None) -> Payment:
        """See `fail`."""
        return self._apply(fail(self._begin(payment_id), amount, self._new_id(), self._clock()))

    def confirm(
        self, payment_id: str, token: str, *, total_amount: int | None = None, transaction_id: str | None = None
    ) -> Payment:
        """See `confirm`."""
        payment = self.get(payment_id)
        return self._apply(
            confirm(payment, token, self._clock(), total_amount=total_amount, transaction_id=transaction_id)
        )

    def cancel(
        self,
        payment_id: str,
        reason: str,
        *,
        amount: int | None = None,
        current_cancellable_amount: int | None = None,
    ) -> Cancellation:
        """See `cancel`. Returns the new cancellation."""
        payment = self._apply(
            cancel(
                self.get(payment_id),
                self._new_id(),
                reason,
                self._clock(),
                amount=amount,
                current_cancellable_amount=current_cancellable_amount,
            )
        )
        return payment.cancellations[-1]

    def _begin(self, payment_id: str) -> Payment:
        # PortOne lets a browser open a payment that was not pre-registered; the browser then sends the amount.
        now = self._clock()
        return self._payments.get(payment_id) or Payment(id=payment_id, requested_at=now, changed_at=now)

    def _apply(self, transition: Transition) -> Payment:
        payment, changes = transition
        self._payments[payment.id] = payment
        for change in changes:
            self._on_change(change)
        return payment
