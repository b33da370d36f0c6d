"""What the cancellation of a reservation does to its payment: a refund, or the end of an unpaid payment (PAY-012)."""

from common.domain.ids import ReservationId
from common.messaging.consumer import AfterCommit
from common.messaging.messages import Envelope, ReservationCancelled
from common.runtime.log import log
from common.stores.postgres import Connection
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.domain.payment import PaymentStatus
from functions.payments.domain.payment_gateway import GatewayError
from functions.payments.usecases.refunds import Refunds
from functions.payments.usecases.sync_with_gateway import SyncWithGateway

HOLD_TIMEOUT = "HOLD_TIMEOUT"


class ApplyCancellations:
    def __init__(self, refunds: Refunds, payments: PaymentRepository, sync: SyncWithGateway) -> None:
        self._refunds = refunds
        self._payments = payments
        self._sync = sync

    def cancelled(
        self, connection: Connection, message: Envelope, cancelled: ReservationCancelled
    ) -> AfterCommit | None:
        """Runs in the consumer's transaction. If the process crashes after the commit, `settle_payments` makes the
        refund or ends the payment."""
        if cancelled.refund_amount > 0:
            return self._refunds.add_refund(connection, message, cancelled)
        reservation_id, reason = ReservationId(cancelled.reservation_id), cancelled.reason
        return lambda: self._end_payment(reservation_id, reason)

    def _end_payment(self, reservation_id: ReservationId, reason: str) -> None:
        """End the payment of a reservation that was cancelled unpaid.

        Money that comes after a timeout may still confirm the reservation, so only a declined payment ends then: the
        buyer may be in the payment window. After any other reason it cannot, and money is returned.
        """
        payment = self._payments.find_active(reservation_id)
        if payment is None or payment.status is not PaymentStatus.PENDING:
            return
        try:
            if reason == HOLD_TIMEOUT:
                seen = self._sync.sync(payment)
                if seen.declined_reason is not None:
                    self._sync.fail_and_sync(seen, seen.declined_reason)
            else:
                self._sync.fail_and_sync(payment, reason)
        except GatewayError as error:
            log.warning("payment not ended yet", extra={"payment_id": str(payment.id), "error": str(error)})
