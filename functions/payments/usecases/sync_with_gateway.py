"""Bring a payment to the state that the payment gateway reports: behind confirm, webhook and settle alike."""

from dataclasses import replace

from common.domain.clock import Clock, NewId
from common.domain.ids import PaymentId
from common.runtime.log import log
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.domain.payment import Decline, Fail, Payment, PaymentStatus, Reverse, Succeed, next_step
from functions.payments.domain.payment_gateway import (
    NOTHING_TO_PAY,
    GatewayError,
    GatewayRejected,
    GatewayView,
    PaymentGateway,
)
from functions.payments.usecases.record_outcome import RecordOutcome

MOST_STEPS = 4  # PENDING → FAILED → reversal requested → reversal seen


class SyncWithGateway:
    def __init__(
        self,
        payments: PaymentRepository,
        outcome: RecordOutcome,
        gateway: PaymentGateway,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._payments = payments
        self._outcome = outcome
        self._gateway = gateway
        self._clock = clock
        self._new_id = new_id

    def sync(self, payment: Payment) -> Payment:
        """Bring a payment to the state that its gateway view requires. Returns the payment as it is then.

        Every decision is made under the row's lock and checked again, so a faster caller's change is seen. Money is
        returned only when FAILED is recorded. If the process crashes after that, `settle_payments` continues: once the
        money was seen, every minute until it is returned. After a declined attempt it is PENDING with
        `declined_reason`. Raises GatewayUnavailable or GatewayRejected.
        """
        due_before_the_view = payment.reversal_due_since
        view = self._view(payment)
        reversal_requested = False
        for _ in range(MOST_STEPS):
            step = next_step(payment, view)
            if isinstance(step, Succeed) and view is not None:
                payment = self._outcome.succeed(payment.id, view, self._clock())
            elif isinstance(step, Fail):
                payment = self._outcome.fail(payment.id, step.reason, self._clock())
            elif isinstance(step, Decline):
                return replace(payment, declined_reason=step.reason)
            elif isinstance(step, Reverse) and view is not None and not reversal_requested:
                reversal_requested = True
                payment = self._payments.mark_reversal_due(payment.id, self._clock())
                due_before_the_view = payment.reversal_due_since
                self._reverse(payment.id, view, step.reason)
                view = self._gateway.view(payment.id)
            else:
                break
        if due_before_the_view is not None and view is not None and not view.is_paid:
            self._payments.mark_reversed(payment.id, due_before_the_view)
        return payment

    def fail_and_sync(self, payment: Payment, reason: str) -> Payment:
        """End a payment whose reservation can no longer be had, unless it succeeded. Returns it as it is then.

        If the process crashes after FAILED is recorded, `settle_payments` returns the money that was paid.
        """
        ended = self._outcome.fail(payment.id, reason, self._clock())
        try:
            return self.sync(ended)
        except GatewayError as error:
            log.warning("reversal postponed", extra={"payment_id": str(payment.id), "error": str(error)})
            return ended

    def handle_webhook(self, payment_id: PaymentId) -> None:
        """The payment gateway reports a change of a payment. Ignores payments that are unknown or paid already."""
        payment = self._payments.find(payment_id)
        if payment is not None and not payment.is_paid:
            self.sync(payment)

    def _view(self, payment: Payment) -> GatewayView | None:
        if payment.amount == 0:
            return NOTHING_TO_PAY if payment.status is PaymentStatus.PENDING else None
        return self._gateway.view(payment.id)

    def _reverse(self, payment_id: PaymentId, view: GatewayView, reason: str) -> None:
        amount = view.remaining
        log.warning("reversing a payment", extra={"payment_id": str(payment_id), "amount": amount, "reason": reason})
        try:
            # Once, by compare-and-set on the remaining amount; a lasting key would only repeat an old rejection.
            self._gateway.cancel(payment_id, amount, reason, amount, f"give-back-{self._new_id()}")
        except GatewayRejected as rejected:
            log.warning(
                "reversal rejected, another may be under way",
                extra={"payment_id": str(payment_id), "error": str(rejected)},
            )
