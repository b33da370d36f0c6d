"""Changes of a payment's status: each is one transaction with its message (PAY-012, PAY-013)."""

from datetime import datetime

from common.domain.ids import PaymentId
from common.messaging.messages import PaymentFailed, PaymentRefunded, PaymentSuccess
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.adapters.refund_repository import RefundRepository
from functions.payments.domain.payment import Payment, PaymentStatus
from functions.payments.domain.payment_gateway import GatewayView
from functions.payments.domain.refund import Refund


class RecordOutcome:
    """Every method decides on the payment that it has locked: a second caller finds the first one's change."""

    def __init__(
        self, database: Database, payments: PaymentRepository, refunds: RefundRepository, outbox: Outbox
    ) -> None:
        self._database = database
        self._payments = payments
        self._refunds = refunds
        self._outbox = outbox

    def succeed(self, payment_id: PaymentId, view: GatewayView, now: datetime) -> Payment:
        """PENDING → SUCCESS with PaymentSuccess. Returns the payment as it is then, changed here or before."""
        with self._database.transaction() as connection:
            payment = self._payments.lock(connection, payment_id)
            if payment.status is not PaymentStatus.PENDING:
                return payment
            paid = payment.succeeded(view, now)
            paid_at = paid.paid_at or now
            self._payments.save_success(connection, paid, now)
            self._outbox.write(
                connection,
                PaymentSuccess(
                    payment_id=paid.id,
                    payment_key=paid.payment_key,
                    reservation_id=paid.reservation_id,
                    amount=paid.amount,
                    paid_at=paid_at,
                    portone_transaction_id=paid.portone_transaction_id,
                ),
                user_id=paid.user_id,
            )
            return self._payments.lock(connection, payment_id)

    def fail(self, payment_id: PaymentId, reason: str, now: datetime) -> Payment:
        """PENDING → FAILED with PaymentFailed. Returns the payment as it is then, changed here or before."""
        with self._database.transaction() as connection:
            payment = self._payments.lock(connection, payment_id)
            if payment.status is not PaymentStatus.PENDING:
                return payment
            self._payments.save_failure(connection, payment.failed(reason), now)
            self._outbox.write(
                connection,
                PaymentFailed(
                    payment_id=payment.id,
                    payment_key=payment.payment_key,
                    reservation_id=payment.reservation_id,
                    amount=payment.amount,
                    failure_reason=reason,
                    failed_at=now,
                ),
                user_id=payment.user_id,
            )
            return self._payments.lock(connection, payment_id)

    def refunded(self, refund: Refund, now: datetime) -> None:
        """The refund is done: SUCCESS → REFUNDED with PaymentRefunded, once."""
        with self._database.transaction() as connection:
            payment = self._payments.lock(connection, refund.payment_id)
            if not self._refunds.mark_done(connection, refund.id, now):
                return
            self._payments.add_refunded_amount(connection, payment.id, refund.amount, now)
            self._outbox.write(
                connection,
                PaymentRefunded(
                    payment_id=payment.id,
                    reservation_id=payment.reservation_id,
                    amount=refund.amount,
                    reason=refund.reason,
                    refunded_at=now,
                ),
                user_id=payment.user_id,
            )
