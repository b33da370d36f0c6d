"""Refunds of cancelled reservations: recorded with the message that asks for one, returned by the payment gateway."""

from common.domain.clock import Clock
from common.domain.ids import RefundId, ReservationId
from common.domain.shared_errors import NotFound
from common.messaging.consumer import AfterCommit
from common.messaging.messages import Envelope, ReservationCancelled
from common.runtime.log import log
from common.stores.postgres import Connection
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.adapters.refund_repository import RefundRepository
from functions.payments.domain.payment_gateway import GatewayError, GatewayRejected, PaymentGateway
from functions.payments.domain.refund import Refund
from functions.payments.usecases.record_outcome import RecordOutcome


class Refunds:
    def __init__(
        self,
        payments: PaymentRepository,
        refunds: RefundRepository,
        outcome: RecordOutcome,
        gateway: PaymentGateway,
        clock: Clock,
    ) -> None:
        self._payments = payments
        self._refunds = refunds
        self._outcome = outcome
        self._gateway = gateway
        self._clock = clock

    def add_refund(self, connection: Connection, message: Envelope, cancelled: ReservationCancelled) -> AfterCommit:
        """Record the refund in the consumer's transaction, and make it right after the commit.

        If the process crashes after the commit, `settle_payments` makes the refund.
        """
        refund_id = RefundId(message.event_id)
        added = self._refunds.add_refund(
            connection,
            refund_id,
            ReservationId(cancelled.reservation_id),
            cancelled.refund_amount,
            cancelled.reason,
        )
        if not added:
            raise NotFound()  # a dead letter: a refund of money that was never paid
        return lambda: self.make_now(refund_id)

    def make(self, refund: Refund) -> bool:
        """Return a refund's money once, by compare-and-set on the remaining amount. False if the refund stays due.

        If the process crashes after the payment gateway accepted, the refund is still due: the next attempt finds the
        money returned already.
        """
        payment = self._payments.find(refund.payment_id)
        if payment is None:
            raise LookupError(f"refund {refund.id} of no payment")
        cancellable = payment.amount - payment.refunded_amount
        try:
            try:
                key = f"refund-{refund.id}-{refund.attempts}"
                self._gateway.cancel(payment.id, refund.amount, refund.reason, cancellable, key)
            except GatewayRejected:
                # Returned by an attempt whose answer was lost, or in part in PortOne's console: then the rest.
                view = self._gateway.view(payment.id)
                if view is None or view.cancelled <= payment.refunded_amount:
                    raise
                rest = refund.amount_left(payment, view)
                if rest > 0:
                    self._gateway.cancel(payment.id, rest, refund.reason, view.remaining, f"{key}-rest")
        except GatewayError as error:
            log.warning("refund failed, will be retried", extra={"refund_id": str(refund.id), "error": str(error)})
            self._refunds.mark_failed(refund.id, str(error))
            return False
        except Exception as error:  # of this refund alone: it goes behind the others
            log.exception("refund cannot be made", extra={"refund_id": str(refund.id)})
            self._refunds.mark_failed(refund.id, repr(error))
            return False
        self._outcome.refunded(refund, self._clock())
        return True

    def make_now(self, refund_id: RefundId) -> None:
        refund = self._refunds.find_due(refund_id)
        if refund is not None:
            self.make(refund)

    def make_due(self, limit: int = 100) -> int:
        """Make the refunds that are due. Returns how many of them stay due."""
        return [self.make(refund) for refund in self._refunds.due(limit)].count(False)
