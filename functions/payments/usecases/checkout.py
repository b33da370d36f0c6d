"""The steps of a payment: create, confirm, and the one finaliser behind confirm, webhook and settle."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from common.contracts.payable import GUARD_SECONDS, PayableAnswer
from common.domain.clock import Clock, NewId
from common.domain.shared_errors import HoldExpired, NotFound
from common.runtime.log import log
from functions.payments.domain.errors import (
    AmountMismatch,
    PaymentInProgress,
    PaymentKeyReused,
    PaymentNotCompleted,
    PaymentTimeout,
    PaymentUnavailable,
    PaymentUnsuccessful,
)
from functions.payments.domain.payment import Fail, GiveBack, Payment, Status, Succeed, next_step
from functions.payments.domain.payment_gateway import Bank, BankView, PortOneAway, PortOneRefused
from functions.payments.domain.refund import Refund

MOST_STEPS = 4  # PENDING → FAILED → given back → seen to be given back
SETTLE_FOR = timedelta(seconds=45)  # a run is started every minute, and there is one at a time
LOOK_AGAIN = timedelta(days=1)  # how long money may still come for a FAILED payment


class Payments(Protocol):
    def add(self, payment: Payment) -> bool: ...
    def preregistered(self, payment_id: UUID, now: datetime) -> None: ...
    def succeed(self, payment_id: UUID, bank: BankView, now: datetime) -> Payment: ...
    def fail(self, payment_id: UUID, reason: str, now: datetime) -> Payment: ...
    def owes_back(self, payment_id: UUID, now: datetime) -> Payment: ...
    def gave_back(self, payment_id: UUID, owed_since: datetime) -> None: ...
    def refunded(self, refund: Refund, now: datetime) -> None: ...
    def refund_failed(self, refund_id: UUID, error: str) -> None: ...
    def refund(self, refund_id: UUID) -> Refund | None: ...
    def refunds_due(self, limit: int) -> list[Refund]: ...
    def find(self, payment_id: UUID) -> Payment | None: ...
    def by_key(self, payment_key: str) -> Payment | None: ...
    def failed_to_look_at(self, now: datetime, since: datetime, limit: int) -> list[Payment]: ...
    def looked_at(self, payment_id: UUID, now: datetime) -> None: ...
    def owed(self, limit: int) -> list[Payment]: ...
    def pending_since(self, before: datetime, limit: int) -> list[Payment]: ...
    def unsettled(self, before: datetime) -> int: ...


Payable = Callable[[UUID, UUID, int], PayableAnswer]  # reservation, user, guard seconds


@dataclass(frozen=True)
class Created:
    payment: Payment
    fresh: bool  # False when the same request had been made before


class Checkout:
    def __init__(
        self, payments: Payments, bank: Bank, payable: Payable, clock: Clock, new_id: NewId, settle_after: timedelta
    ) -> None:
        self._payments = payments
        self._bank = bank
        self._payable = payable
        self._clock = clock
        self._new_id = new_id
        self._settle_after = settle_after

    # -- the buyer's two calls ----------------------------------------------------------------------------------

    def create(self, user_id: UUID, reservation_id: UUID, payment_key: str, method: str) -> Created:
        """A PENDING payment of the reservation's amount, known to PortOne (PAY-004 to PAY-007).

        Die anywhere in it and the same request goes on where it stopped: the key finds the payment.
        """
        known = self._payments.by_key(payment_key)
        if known is None:
            due = self._payable(reservation_id, user_id, 0)
            payment = Payment(
                id=self._new_id(),
                payment_key=payment_key,
                reservation_id=reservation_id,
                event_id=due.event_id,
                user_id=user_id,
                order_name=f"{due.event_title} {due.seat_count}매",
                amount=due.total_amount,
                method=method,
                status=Status.PENDING,
                created_at=self._clock(),
            )
            if self._payments.add(payment):
                self._pre_register(payment)
                return Created(payment, fresh=True)
            known = self._payments.by_key(payment_key)
        if known is None or (known.user_id, known.reservation_id) != (user_id, reservation_id):
            raise PaymentKeyReused()
        if known.preregistered_at is None and known.status is Status.PENDING:
            self._pre_register(known)
        return Created(known, fresh=False)

    def _pre_register(self, payment: Payment) -> None:
        try:
            self._bank.pre_register(payment.id, payment.amount)
        except (PortOneAway, PortOneRefused) as error:
            if isinstance(error, PortOneRefused) and error.kind == "IDEMPOTENCY_OUTSTANDING_REQUEST":
                return  # the same request, made twice at once: the other one is at PortOne now and notes the outcome
            log.warning("pre-registration failed", extra={"payment_id": str(payment.id), "error": str(error)})
            raise PaymentUnavailable(retry_after=_retry_after(error)) from error
        self._payments.preregistered(payment.id, self._clock())

    def confirm(self, user_id: UUID, payment_id: UUID, payment_token: str | None) -> Payment:
        """SUCCESS once the money is ours, as often as asked (PAY-010).

        With `payment_token` the money moves here, after the hold was found alive and lengthened; without it the
        buyer has paid already and that is verified. Die after the money moved, and webhook or settle finish.
        """
        payment = self.owned(user_id, payment_id)
        if payment.status is not Status.PENDING:
            return _succeeded(payment)
        try:
            self._payable(payment.reservation_id, user_id, GUARD_SECONDS)
        except HoldExpired:
            # Or the hold ended because the payment did: by another click or the webhook, a moment ago.
            return _succeeded(self._give_up(payment, HoldExpired.code))
        try:
            if payment_token is not None:
                payment = self._approve(payment, payment_token)
            return _succeeded(self.finalise(payment))
        except (PortOneAway, PortOneRefused) as error:
            payment = self.owned(user_id, payment_id)
            if payment.status is not Status.PENDING:
                return _succeeded(payment)
            timed_out = isinstance(error, PortOneAway) and error.timed_out
            raise (PaymentTimeout if timed_out else PaymentUnavailable)(retry_after=_retry_after(error)) from error

    def _approve(self, payment: Payment, payment_token: str) -> Payment:
        # One key a token: pressed twice, it is one request; a new attempt in the browser is another.
        key = f"confirm-{payment.id}-{hashlib.sha256(payment_token.encode()).hexdigest()[:16]}"
        try:
            self._bank.confirm(payment.id, payment_token, payment.amount, key)
        except PortOneRefused as refused:
            if refused.kind == "INFORMATION_MISMATCH":
                return self._give_up(payment, AmountMismatch.code)
            if refused.kind == "IDEMPOTENCY_OUTSTANDING_REQUEST":
                raise PaymentInProgress() from None
            # Paid already, declined, a wrong token: PortOne's view tells which.
        return payment

    def owned(self, user_id: UUID, payment_id: UUID) -> Payment:
        payment = self._payments.find(payment_id)
        if payment is None or payment.user_id != user_id:
            raise NotFound()
        return payment

    # -- the one finaliser --------------------------------------------------------------------------------------

    def finalise(self, payment: Payment) -> Payment:
        """Bring a payment to where PortOne's view says it belongs; the payment as it is then.

        Every decision is taken under the row's lock and looked at again: whoever was quicker is seen, and money is
        given back only when FAILED is on record. Die after that and `settle` comes back to it: once the money was seen,
        every minute until it is back.
        """
        owed_before_the_view = payment.owed_since
        bank = self._bank.view(payment.id)
        asked_back = False
        for _ in range(MOST_STEPS):
            step = next_step(payment, bank)
            if isinstance(step, Succeed) and bank is not None:
                payment = self._payments.succeed(payment.id, bank, self._clock())
            elif isinstance(step, Fail):
                payment = self._payments.fail(payment.id, step.reason, self._clock())
            elif isinstance(step, GiveBack) and bank is not None and not asked_back:
                asked_back = True
                payment = self._payments.owes_back(payment.id, self._clock())
                owed_before_the_view = payment.owed_since
                self._return_all(payment.id, bank, step.reason)
                bank = self._bank.view(payment.id)
            else:
                break
        if owed_before_the_view is not None and bank is not None and not bank.money_taken:
            self._payments.gave_back(payment.id, owed_before_the_view)
        return payment

    def _give_up(self, payment: Payment, reason: str) -> Payment:
        """End a payment whose reservation cannot be had any more, unless it has succeeded; as it is then."""
        ended = self._payments.fail(payment.id, reason, self._clock())
        try:
            return self.finalise(ended)
        except (PortOneAway, PortOneRefused) as error:
            log.warning("will give back later", extra={"payment_id": str(payment.id), "error": str(error)})
            return ended

    def _return_all(self, payment_id: UUID, bank: BankView, reason: str) -> None:
        rest = bank.total - bank.cancelled
        log.warning("giving money back", extra={"payment_id": str(payment_id), "amount": rest, "reason": reason})
        try:
            # Once, by compare-and-set on what is left there; a key would only keep an old refusal alive.
            self._bank.cancel(payment_id, rest, reason, rest, f"give-back-{self._new_id()}")
        except PortOneRefused as refused:
            log.warning("somebody else is at it", extra={"payment_id": str(payment_id), "error": str(refused)})

    # -- what nobody waits for ----------------------------------------------------------------------------------

    def notice(self, payment_id: UUID) -> None:
        """PortOne says something happened to a payment. Somebody else's payment is none of ours."""
        payment = self._payments.find(payment_id)
        if payment is not None and not payment.settled:
            self.finalise(payment)

    def settle(self, limit: int = 100) -> int:
        """Finish payments that have been PENDING too long, and look whether money came for FAILED ones; how many are
        still in the middle after that.

        PortOne takes another attempt on a failed payment, and its webhook may be lost: a FAILED one is looked at for a
        day, ever less often, and one whose money was seen until it is given back. Those are asked for first, then
        `limit` at a time for as long as the next run is not due: a crowd abandons more payments than that in a minute.
        """
        began, seen = self._clock(), set[UUID]()
        overdue = self._payments.owed(limit) + self._overdue(began, limit)
        while overdue and self._clock() - began < SETTLE_FOR:
            for payment in overdue:
                self._settle(payment)
                seen.add(payment.id)
            overdue = [payment for payment in self._overdue(began, limit) if payment.id not in seen]
        return self._payments.unsettled(began - self._settle_after)

    def _overdue(self, now: datetime, limit: int) -> list[Payment]:
        pending = self._payments.pending_since(now - self._settle_after, limit)
        return pending + self._payments.failed_to_look_at(now, now - LOOK_AGAIN, limit)

    def _settle(self, payment: Payment) -> None:
        """One that cannot be settled, for whatever reason, goes behind the others and holds up none of them."""
        try:
            after = self.finalise(payment)
            if after.status is Status.PENDING:
                # Nothing was paid and the hold is long over. Should money come yet, it is given back.
                self._give_up(after, "NOT_PAID")
        except (PortOneAway, PortOneRefused) as error:
            log.warning("not settled yet", extra={"payment_id": str(payment.id), "error": str(error)})
        except Exception:
            log.exception("cannot be settled", extra={"payment_id": str(payment.id)})
        self._payments.looked_at(payment.id, self._clock())

    def refund(self, refund: Refund) -> bool:
        """Give a refund's money back, once, by compare-and-set on what can still be given back; False if it stays due.

        Die after PortOne said yes and the refund is still DUE: the next attempt finds the money given back already.
        """
        payment = self._payments.find(refund.payment_id)
        if payment is None:
            raise LookupError(f"refund {refund.id} of no payment")
        cancellable = payment.amount - payment.refunded_amount
        try:
            try:
                key = f"refund-{refund.id}-{refund.attempts}"
                self._bank.cancel(payment.id, refund.amount, refund.reason, cancellable, key)
            except PortOneRefused:
                # Given back, by an attempt whose answer was lost or in part in PortOne's console: then the rest.
                bank = self._bank.view(payment.id)
                if bank is None or bank.cancelled <= payment.refunded_amount:
                    raise
                rest = min(payment.refunded_amount + refund.amount, bank.total) - bank.cancelled
                if rest > 0:
                    left = bank.total - bank.cancelled
                    self._bank.cancel(payment.id, rest, refund.reason, left, f"{key}-rest")
        except (PortOneAway, PortOneRefused) as error:
            log.warning("refund failed, will be retried", extra={"refund_id": str(refund.id), "error": str(error)})
            self._payments.refund_failed(refund.id, str(error))
            return False
        except Exception as error:  # of this one alone: it goes behind the others
            log.exception("refund cannot be given", extra={"refund_id": str(refund.id)})
            self._payments.refund_failed(refund.id, repr(error))
            return False
        self._payments.refunded(refund, self._clock())
        return True

    def refund_now(self, refund_id: UUID) -> None:
        refund = self._payments.refund(refund_id)
        if refund is not None:
            self.refund(refund)

    def refund_due(self, limit: int = 100) -> int:
        """Give back what is due; how many of these refunds stay due."""
        return [self.refund(refund) for refund in self._payments.refunds_due(limit)].count(False)


def _retry_after(error: PortOneAway | PortOneRefused) -> int | None:
    return error.retry_after if isinstance(error, PortOneAway) else None


def _succeeded(payment: Payment) -> Payment:
    """The payment, if its money is ours; else why not."""
    if payment.status in (Status.SUCCESS, Status.REFUNDED):
        return payment
    if payment.status is Status.PENDING:
        raise PaymentNotCompleted()
    for told in (AmountMismatch, HoldExpired):
        if payment.failure_reason == told.code:
            raise told()
    raise PaymentUnsuccessful(reason=payment.failure_reason)
