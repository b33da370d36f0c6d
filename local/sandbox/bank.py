"""The bank behind PortOne: what a payment may become, as pure functions, and the one place that remembers payments.

Every transition takes a payment and the moment, and returns the payment it becomes with the changes to announce, or
raises `Refused` and changes nothing. All money is an integer number of won.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from local.sandbox.clock import Clock


class Status(StrEnum):
    """The PortOne statuses a card payment can reach. PAY_PENDING is PayPal's, VIRTUAL_ACCOUNT_ISSUED a transfer's."""

    READY = "READY"
    PAID = "PAID"
    FAILED = "FAILED"
    PARTIAL_CANCELLED = "PARTIAL_CANCELLED"
    CANCELLED = "CANCELLED"


class Refusal(StrEnum):
    """Why a transition is refused, in PortOne's own error types."""

    ALREADY_PAID = "ALREADY_PAID"
    CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN = "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"
    CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT = "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"
    INFORMATION_MISMATCH = "INFORMATION_MISMATCH"
    INVALID_PAYMENT_TOKEN = "INVALID_PAYMENT_TOKEN"  # noqa: S105  (an error type, no password)
    PAYMENT_ALREADY_CANCELLED = "PAYMENT_ALREADY_CANCELLED"
    PAYMENT_NOT_FOUND = "PAYMENT_NOT_FOUND"
    PAYMENT_NOT_PAID = "PAYMENT_NOT_PAID"
    PG_PROVIDER = "PG_PROVIDER"


class Refused(Exception):
    """The bank says no, and nothing has changed."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message


class Announcement(StrEnum):
    """What a webhook says happened, without PortOne's `Transaction.` in front."""

    READY = "Ready"
    PAID = "Paid"
    FAILED = "Failed"
    PARTIAL_CANCELLED = "PartialCancelled"
    CANCELLED = "Cancelled"


@dataclass(frozen=True)
class Change:
    """One thing that happened to a payment, to be told to the merchant."""

    announcement: Announcement
    payment_id: str
    transaction_id: str
    at: datetime
    cancellation_id: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One time the buyer went through the payment window. A payment may see several; the last one counts."""

    transaction_id: str
    amount: int
    payment_token: str | None = None  # only manual approval hands one out


@dataclass(frozen=True)
class Cancellation:
    """Money given back, once."""

    id: str
    amount: int
    reason: str
    at: datetime


@dataclass(frozen=True)
class Payment:
    """A payment as the bank knows it."""

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
        """Everything ever taken from the buyer; what was given back is not subtracted."""
        return self.attempt.amount if self.attempt and self.paid_at else 0

    @property
    def cancelled_amount(self) -> int:
        """Everything given back to the buyer."""
        return sum(cancellation.amount for cancellation in self.cancellations)

    @property
    def cancellable_amount(self) -> int:
        """What can still be given back."""
        return self.paid_amount - self.cancelled_amount


Transition = tuple[Payment, tuple[Change, ...]]


def pre_register(payment: Payment | None, payment_id: str, amount: int, now: datetime) -> Payment:
    """Fixes what the buyer is to pay. May be repeated until the money is taken."""
    if payment is None:
        return Payment(id=payment_id, requested_at=now, changed_at=now, registered_amount=amount)
    _refuse_if_paid(payment)
    return replace(payment, registered_amount=amount)


def authorize(payment: Payment, amount: int | None, transaction_id: str, token: str, now: datetime) -> Transition:
    """The buyer agrees and the card is good for it, but no money moves before `confirm`. Older tokens die."""
    opened, changes = _open(payment, amount, transaction_id, token, now)
    return opened, changes


def pay(payment: Payment, amount: int | None, transaction_id: str, now: datetime) -> Transition:
    """The buyer pays and the money is taken at once (automatic approval)."""
    opened, changes = _open(payment, amount, transaction_id, None, now)
    paid, taken = _take(opened, now)
    return paid, changes + taken


def fail(payment: Payment, amount: int | None, transaction_id: str, now: datetime) -> Transition:
    """The card is refused. An authorization that waits for its confirm fails; otherwise a new attempt does."""
    changes: tuple[Change, ...] = ()
    if payment.status is not Status.READY or payment.attempt is None or payment.attempt.payment_token is None:
        payment, changes = _open(payment, amount, transaction_id, None, now)
    failed = replace(payment, status=Status.FAILED, failed_at=now, changed_at=now)
    return failed, (*changes, _change(failed, Announcement.FAILED, now))


def confirm(
    payment: Payment,
    token: str,
    now: datetime,
    *,
    total_amount: int | None = None,
    transaction_id: str | None = None,
) -> Transition:
    """The merchant takes the money of an authorized attempt. What it says about the payment must be so."""
    attempt = _attempt(payment)
    _refuse_if_paid(payment)
    if attempt.payment_token != token:
        raise Refused(Refusal.INVALID_PAYMENT_TOKEN, "The payment token does not belong to this payment's last attempt")
    if payment.status is Status.FAILED:
        # An authorization can go bad before its confirm; the card company then refuses the confirm itself.
        raise Refused(Refusal.PG_PROVIDER, "The card company refused the payment")
    if total_amount is not None and total_amount != attempt.amount:
        raise Refused(Refusal.INFORMATION_MISMATCH, "totalAmount is not the amount of the payment")
    if transaction_id is not None and transaction_id != attempt.transaction_id:
        raise Refused(Refusal.INFORMATION_MISMATCH, "txId is not the last attempt's")
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
    """Gives `amount` back, or all that is left. `current_cancellable_amount` is a compare-and-set."""
    _attempt(payment)
    if payment.status is Status.CANCELLED:
        raise Refused(Refusal.PAYMENT_ALREADY_CANCELLED, "Everything has been given back already")
    if payment.paid_at is None:
        raise Refused(Refusal.PAYMENT_NOT_PAID, "No money has been taken")
    left = payment.cancellable_amount
    if current_cancellable_amount is not None and current_cancellable_amount != left:
        raise Refused(
            Refusal.CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN,
            f"{left} won can be cancelled, not {current_cancellable_amount}",
        )
    given_back = left if amount is None else amount
    if given_back > left:
        raise Refused(Refusal.CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT, f"Only {left} won can be cancelled")
    whole = given_back == left
    cancelled = replace(
        payment,
        status=Status.CANCELLED if whole else Status.PARTIAL_CANCELLED,
        changed_at=now,
        cancellations=(*payment.cancellations, Cancellation(cancellation_id, given_back, reason, now)),
    )
    announcement = Announcement.CANCELLED if whole else Announcement.PARTIAL_CANCELLED
    return cancelled, (_change(cancelled, announcement, now, cancellation_id),)


def _open(payment: Payment, amount: int | None, transaction_id: str, token: str | None, now: datetime) -> Transition:
    _refuse_if_paid(payment)
    # PortOne itself holds the buyer to the pre-registered amount. Here an explicit amount wins, so that a merchant's
    # own check of the amount (AMOUNT_MISMATCH) can be tested.
    charged = payment.registered_amount if amount is None else amount
    if charged is None:
        raise Refused(Refusal.PAYMENT_NOT_FOUND, "Neither a pre-registered amount nor an amount to pay")
    opened = replace(
        payment,
        attempt=Attempt(transaction_id, charged, token),
        status=Status.READY,
        failed_at=None,
        changed_at=now,
    )
    return opened, (_change(opened, Announcement.READY, now),)


def _take(payment: Payment, now: datetime) -> Transition:
    paid = replace(payment, status=Status.PAID, paid_at=now, changed_at=now)
    return paid, (_change(paid, Announcement.PAID, now),)


def _attempt(payment: Payment) -> Attempt:
    # At PortOne a pre-registration is not yet a payment: there is none to find until the buyer's window opens.
    if payment.attempt is None:
        raise Refused(Refusal.PAYMENT_NOT_FOUND, "No such payment")
    return payment.attempt


def _refuse_if_paid(payment: Payment) -> None:
    if payment.paid_at is not None:
        raise Refused(Refusal.ALREADY_PAID, "The payment has been paid already")


def _change(payment: Payment, announcement: Announcement, at: datetime, cancellation_id: str | None = None) -> Change:
    return Change(announcement, payment.id, _attempt(payment).transaction_id, at, cancellation_id)


class Bank:
    """Remembers payments, applies transitions, and tells `announce` of every change once it has happened.

    Nothing here awaits, so on one event loop every call is atomic.
    """

    def __init__(self, clock: Clock, new_id: Callable[[], str], announce: Callable[[Change], None]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._announce = announce
        self._payments: dict[str, Payment] = {}

    def known(self, payment_id: str) -> Payment:
        """The payment, pre-registered ones included; refuses with PAYMENT_NOT_FOUND."""
        payment = self._payments.get(payment_id)
        if payment is None:
            raise Refused(Refusal.PAYMENT_NOT_FOUND, "No such payment")
        return payment

    def all(self) -> list[Payment]:
        """Every payment, pre-registered ones included, the oldest first."""
        return list(self._payments.values())

    def attempted(self, payment_id: str) -> tuple[Payment, Attempt]:
        """The payment with its last attempt; refuses with PAYMENT_NOT_FOUND before the buyer acts."""
        payment = self.known(payment_id)
        return payment, _attempt(payment)

    def pre_register(self, payment_id: str, amount: int) -> None:
        """See `pre_register`."""
        payment = pre_register(self._payments.get(payment_id), payment_id, amount, self._clock())
        self._payments[payment_id] = payment

    def authorize(self, payment_id: str, amount: int | None) -> str:
        """See `authorize`. Answers the payment token."""
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
        payment = self.known(payment_id)
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
        """See `cancel`. Answers the cancellation just made."""
        payment = self._apply(
            cancel(
                self.known(payment_id),
                self._new_id(),
                reason,
                self._clock(),
                amount=amount,
                current_cancellable_amount=current_cancellable_amount,
            )
        )
        return payment.cancellations[-1]

    def _begin(self, payment_id: str) -> Payment:
        # PortOne lets a browser open a payment the server never pre-registered; the amount then comes with it.
        now = self._clock()
        return self._payments.get(payment_id) or Payment(id=payment_id, requested_at=now, changed_at=now)

    def _apply(self, transition: Transition) -> Payment:
        payment, changes = transition
        self._payments[payment.id] = payment
        for change in changes:
            self._announce(change)
        return payment
