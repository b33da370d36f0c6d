"""What a payment's outcome does to its reservation (RSV-004, PAY-012).

Both methods run in the consumer's transaction.
"""

from collections.abc import Callable

from common.domain.clock import Clock
from common.domain.ids import PaymentId, ReservationId
from common.domain.shared_errors import NotFound
from common.messaging.messages import Envelope, PaymentFailed, PaymentSuccess
from common.stores.postgres import Connection
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_unpaid
from functions.reservations.domain.reservation import CancelReason, Reservation, Status
from functions.reservations.usecases.confirm_paid import ConfirmPaid
from functions.reservations.usecases.drop_hold import DropHold


class ApplyPaymentOutcomes:
    def __init__(
        self, reservations: ReservationRepository, confirm_paid: ConfirmPaid, drop_hold: DropHold, clock: Clock
    ) -> None:
        self._reservations = reservations
        self._confirm_paid = confirm_paid
        self._drop_hold = drop_hold
        self._clock = clock

    def paid(self, connection: Connection, _message: Envelope, payment: PaymentSuccess) -> Callable[[], None] | None:
        """Confirms the reservation, or refunds the payment."""
        reservation = self._lock(connection, ReservationId(payment.reservation_id))
        return self._confirm_paid.confirm(connection, reservation, PaymentId(payment.payment_id), payment.amount)

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
