"""What a payment's outcome makes of its reservation, inside the consumer's transaction (RSV-004, PAY-012)."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from common.domain.clock import Clock
from common.domain.shared_errors import NotFound
from common.messaging.messages import Envelope, PaymentFailed, PaymentSuccess
from common.runtime.log import log
from common.stores.postgres import Connection
from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.adapters.reservation_repository import ReservationStore
from functions.reservations.domain.reservation import FOR_WANT_OF_MONEY, CancelReason, Reservation, Status
from functions.reservations.usecases.hold_seats import Booking


class PaymentOutcome:
    def __init__(self, store: ReservationStore, booking: Booking, tokens: QueueTokens, clock: Clock) -> None:
        self._store = store
        self._booking = booking
        self._tokens = tokens
        self._clock = clock

    def paid(self, connection: Connection, _message: Envelope, payment: PaymentSuccess) -> Callable[[], None] | None:
        """CONFIRMED; or, for seats that are no longer ours to give, the money back: one of the two, always."""
        reservation = self._locked(connection, payment.reservation_id)
        if reservation.status is Status.CONFIRMED:
            return None
        now = self._clock()
        if self._store.is_event_cancelled(connection, reservation):
            return self._paid_for_nothing(connection, reservation, payment.payment_id, now)
        wanted = reservation.status is Status.PENDING or reservation.cancel_reason in FOR_WANT_OF_MONEY
        if wanted and self._store.confirm(connection, reservation, payment.payment_id, now):
            return lambda: self._tokens.end(reservation.event_id, reservation.user_id, reservation.id)
        log.warning("money came for seats that are gone: refunding", extra={"reservation_id": str(reservation.id)})
        self._store.give_back(connection, reservation, payment.payment_id, now)
        return None

    def _paid_for_nothing(
        self, connection: Connection, reservation: Reservation, payment_id: UUID, now: datetime
    ) -> Callable[[], None]:
        """The event is off: all of it back, whether its cancellation has come to this reservation or not (EVT-028)."""
        if reservation.status is Status.PENDING:
            paid = reservation.total_amount
            reason = CancelReason.EVENT_CANCELLED
            self._store.cancel(connection, reservation, reason, now, paid, payment_id=payment_id)
        else:
            self._store.give_back(connection, reservation, payment_id, now)
        return lambda: self._booking.free(reservation)

    def failed(self, connection: Connection, _message: Envelope, payment: PaymentFailed) -> Callable[[], None] | None:
        reservation = self._locked(connection, payment.reservation_id)
        if reservation.status is not Status.PENDING:
            return None
        self._store.cancel(connection, reservation, CancelReason.PAYMENT_FAILED, self._clock())
        return lambda: self._booking.free(reservation)

    def _locked(self, connection: Connection, reservation_id: UUID) -> Reservation:
        reservation = self._store.locked(connection, reservation_id)
        if reservation is None:
            raise NotFound()  # a dead letter: no retry will make it exist
        return reservation
