"""What a payment's outcome does to its reservation (RSV-004, PAY-012).

Both methods run in the consumer's transaction.
"""

from collections.abc import Callable

from common.domain.clock import Clock
from common.domain.ids import PaymentId, ReservationId
from common.domain.shared_errors import NotFound
from common.messaging.messages import Envelope, PaymentFailed, PaymentSuccess
from common.runtime.log import log
from common.stores.postgres import Connection
from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import (
    cancel_for_event,
    cancel_unpaid,
    refund_late_payment,
    refund_wrong_amount,
)
from functions.reservations.domain.reservation import CancelReason, Reservation, Status, ticket_number
from functions.reservations.usecases.drop_hold import DropHold


class ApplyPaymentOutcomes:
    def __init__(
        self, reservations: ReservationRepository, drop_hold: DropHold, tokens: QueueTokens, clock: Clock
    ) -> None:
        self._reservations = reservations
        self._drop_hold = drop_hold
        self._tokens = tokens
        self._clock = clock

    def paid(self, connection: Connection, _message: Envelope, payment: PaymentSuccess) -> Callable[[], None] | None:
        """Confirms the reservation, or refunds the payment in full if its seats or its event are not available, or if
        it is not for these seats."""
        reservation = self._lock(connection, ReservationId(payment.reservation_id))
        if reservation.status is Status.CONFIRMED:
            return None
        now, payment_id = self._clock(), PaymentId(payment.payment_id)
        if self._reservations.is_event_cancelled(connection, reservation):
            if reservation.status is Status.PENDING:
                cancellation = cancel_for_event(reservation, now, payment_id)
                self._reservations.cancel(connection, reservation, cancellation)
            else:
                refund = refund_late_payment(reservation, now, payment_id)
                self._reservations.refund(connection, reservation, refund)
            return lambda: self._drop_hold.drop(reservation)
        ticket = ticket_number(reservation.id)
        if reservation.status is Status.PENDING and payment.amount != reservation.total_amount:
            # Its seats were changed in spite of the payment. A payment that is being confirmed is checked for it, too.
            log.error("payment for other seats: refunding", extra={"reservation_id": str(reservation.id)})
            self._reservations.cancel(connection, reservation, refund_wrong_amount(now, payment_id, payment.amount))
            return lambda: self._drop_hold.drop(reservation)
        if reservation.can_be_confirmed and self._reservations.confirm(
            connection, reservation, payment_id, ticket, now
        ):
            return lambda: self._tokens.end(reservation.event_id, reservation.user_id, reservation.id)
        log.warning("payment without seats: refunding", extra={"reservation_id": str(reservation.id)})
        refund = refund_late_payment(reservation, now, payment_id)
        self._reservations.refund(connection, reservation, refund)
        return None

    def failed(self, connection: Connection, _message: Envelope, payment: PaymentFailed) -> Callable[[], None] | None:
        """Cancels the reservation if it is PENDING and has not begun another payment since."""
        reservation = self._lock(connection, ReservationId(payment.reservation_id))
        if reservation.status is not Status.PENDING or not reservation.is_paid_by(PaymentId(payment.payment_id)):
            return None
        cancellation = cancel_unpaid(CancelReason.PAYMENT_FAILED, self._clock())
        self._reservations.cancel(connection, reservation, cancellation)
        return lambda: self._drop_hold.drop(reservation)

    def _lock(self, connection: Connection, reservation_id: ReservationId) -> Reservation:
        reservation = self._reservations.lock(connection, reservation_id)
        if reservation is None:
            raise NotFound()  # a dead letter: no retry can succeed
        return reservation
