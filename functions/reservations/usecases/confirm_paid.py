"""Confirm a reservation that was paid for (RSV-004)."""

from collections.abc import Callable

from common.domain.clock import Clock
from common.domain.ids import PaymentId
from common.runtime.log import log
from common.stores.postgres import Connection
from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_for_event, refund_late_payment, refund_wrong_amount
from functions.reservations.domain.purchase_limits import is_within_person_limit
from functions.reservations.domain.reservation import Reservation, Status, ticket_number
from functions.reservations.usecases.drop_hold import DropHold


class ConfirmPaid:
    def __init__(
        self, reservations: ReservationRepository, drop_hold: DropHold, tokens: QueueTokens, clock: Clock
    ) -> None:
        self._reservations = reservations
        self._drop_hold = drop_hold
        self._tokens = tokens
        self._clock = clock

    def confirm(
        self, connection: Connection, reservation: Reservation, payment_id: PaymentId, amount: int
    ) -> Callable[[], None] | None:
        """Confirms a reservation that the caller has locked, or refunds the payment in full if its seats or its event
        are not available, or if it is not for these seats. Returns what to do after the commit."""
        if reservation.is_paid:
            return None  # by `expire_holds` before the message came, whatever happened to it since
        now = self._clock()
        if self._reservations.is_event_cancelled(connection, reservation):
            if reservation.status is Status.PENDING:
                cancellation = cancel_for_event(reservation, now, payment_id)
                self._reservations.cancel(connection, reservation, cancellation)
            else:
                refund = refund_late_payment(reservation, now, payment_id)
                self._reservations.refund(connection, reservation, refund)
            return lambda: self._drop_hold.drop(reservation)
        if reservation.status is Status.PENDING and amount != reservation.total_amount:
            # Its seats were changed in spite of the payment. A payment that is being confirmed is checked for it, too.
            log.error("payment for other seats: refunding", extra={"reservation_id": str(reservation.id)})
            self._reservations.cancel(connection, reservation, refund_wrong_amount(now, payment_id, amount))
            return lambda: self._drop_hold.drop(reservation)
        ticket = ticket_number(reservation.id)
        if (
            reservation.can_be_confirmed
            and self._may_have_seats(connection, reservation)
            and self._reservations.confirm(connection, reservation, payment_id, ticket, now)
        ):
            return lambda: self._tokens.end(reservation.event_id, reservation.user_id, reservation.id)
        log.warning("payment without seats: refunding", extra={"reservation_id": str(reservation.id)})
        refund = refund_late_payment(reservation, now, payment_id)
        self._reservations.refund(connection, reservation, refund)
        return None

    def _may_have_seats(self, connection: Connection, reservation: Reservation) -> bool:
        """Whether its person may have the seats of a reservation that ended and is paid now (RSV-005)."""
        if reservation.status is Status.PENDING:
            return True  # it counted when it was held
        self._reservations.lock_person(connection, reservation)
        return is_within_person_limit(reservation, self._reservations.usage(connection, reservation))
