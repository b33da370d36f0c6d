"""Confirm a payment: check its hold once more, take the money, record the outcome (PAY-010)."""

import hashlib
from datetime import datetime

from common.contracts.payable import EXTENSION_SECONDS
from common.domain.ids import PaymentId, UserId
from common.domain.model import rfc3339
from common.domain.shared_errors import HoldExpired, NotFound
from functions.payments.adapters.clients.reservations_client import ReservationsClient
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.domain.errors import (
    AmountMismatch,
    PaymentInProgress,
    PaymentNotCompleted,
    PaymentTimeout,
    PaymentUnavailable,
    PaymentUnsuccessful,
)
from functions.payments.domain.payment import Payment, PaymentStatus
from functions.payments.domain.payment_gateway import GatewayError, GatewayRejected, PaymentGateway
from functions.payments.usecases.sync_with_gateway import SyncWithGateway


class ConfirmPayment:
    def __init__(
        self,
        payments: PaymentRepository,
        gateway: PaymentGateway,
        reservations: ReservationsClient,
        sync: SyncWithGateway,
    ) -> None:
        self._payments = payments
        self._gateway = gateway
        self._reservations = reservations
        self._sync = sync

    def find(self, user_id: UserId, payment_id: PaymentId) -> Payment:
        """One of the user's payments. Raises NotFound if it does not exist or belongs to another user."""
        payment = self._payments.find(payment_id)
        if payment is None or payment.user_id != user_id:
            raise NotFound()
        return payment

    def confirm(self, user_id: UserId, payment_id: PaymentId, payment_token: str | None) -> Payment:
        """The payment once it is SUCCESS, however often it is confirmed.

        With `payment_token` the money moves here, after the hold was found valid and was extended. Without it the buyer
        has paid already, and that is verified. If the process crashes after the money moved, the webhook or
        `settle_payments` finishes the payment.
        """
        payment = self.find(user_id, payment_id)
        if payment.status is not PaymentStatus.PENDING:
            return _paid_or_raise(payment)
        try:
            due = self._reservations.payable(payment.reservation_id, user_id, payment.id, EXTENSION_SECONDS)
        except HoldExpired:
            # Or the hold ended with the payment a moment ago: by another click, or by the webhook.
            return _paid_or_raise(self._sync.fail_and_sync(payment, HoldExpired.code))
        if due.total_amount != payment.amount:  # its seats were changed: money for others must not be taken
            return _paid_or_raise(self._sync.fail_and_sync(payment, AmountMismatch.code))
        try:
            if payment_token is not None:
                payment = self._approve(payment, payment_token)
            return _paid_or_raise(self._sync.sync(payment), retry_until=due.hold_expires_at)
        except GatewayError as error:
            payment = self.find(user_id, payment_id)
            if payment.status is not PaymentStatus.PENDING:
                return _paid_or_raise(payment)
            unknown = PaymentTimeout if error.timed_out else PaymentUnavailable
            raise unknown(retry_after=error.retry_after) from error

    def _approve(self, payment: Payment, payment_token: str) -> Payment:
        # One key for each token: a second click repeats the request, a new attempt in the browser is a new request.
        key = f"confirm-{payment.id}-{hashlib.sha256(payment_token.encode()).hexdigest()[:16]}"
        try:
            self._gateway.confirm(payment.id, payment_token, payment.amount, key)
        except GatewayRejected as rejected:
            if rejected.kind == "INFORMATION_MISMATCH":
                return self._sync.fail_and_sync(payment, AmountMismatch.code)
            if rejected.kind == "IDEMPOTENCY_OUTSTANDING_REQUEST":
                raise PaymentInProgress() from None
            # Paid already, declined, or a wrong token: the gateway view shows which. A declined attempt leaves the
            # payment PENDING, and the buyer may try again with another card.
        return payment


def _paid_or_raise(payment: Payment, retry_until: datetime | None = None) -> Payment:
    """The payment if it succeeded; otherwise raises the reason."""
    if payment.is_paid:
        return payment
    if payment.declined_reason is not None and retry_until is not None:
        raise PaymentUnsuccessful(reason=payment.declined_reason, retryUntil=rfc3339(retry_until))
    if payment.status is PaymentStatus.PENDING:
        raise PaymentNotCompleted()
    for error in (AmountMismatch, HoldExpired):
        if payment.failure_reason == error.code:
            raise error()
    raise PaymentUnsuccessful(reason=payment.failure_reason)
