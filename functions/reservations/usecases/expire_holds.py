"""Cancel reservations whose hold has expired, unless they are paid (RSV-007)."""

from collections.abc import Callable, Sequence

from common.contracts.reservation_payments import MOST_RESERVATIONS, ReservationPayment
from common.domain.clock import Clock
from common.domain.ids import ReservationId
from common.domain.shared_errors import ServiceUnavailable
from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores.postgres import Connection, Database
from functions.reservations.adapters.clients.payments_client import PaymentsClient
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_unpaid
from functions.reservations.domain.reservation import CancelReason, Reservation
from functions.reservations.usecases.confirm_paid import ConfirmPaid
from functions.reservations.usecases.drop_hold import DropHold


class ExpireHolds:
    """PaymentSuccess may come later than the hold's end. So payments is asked before a reservation with a payment
    expires. While payments is unavailable it stays PENDING, and its seats stay held in Postgres."""

    def __init__(
        self,
        *,
        database: Database,
        reservations: ReservationRepository,
        payments: PaymentsClient,
        confirm_paid: ConfirmPaid,
        drop_hold: DropHold,
        clock: Clock,
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._payments = payments
        self._confirm_paid = confirm_paid
        self._drop_hold = drop_hold
        self._clock = clock

    def expire(self, limit: int = MOST_RESERVATIONS) -> int:
        """Cancels at most `limit` without a payment and as many with an unpaid one. Returns how many."""
        return self._expire_without_payment(limit) + self._expire_with_payment(limit)

    def _expire_without_payment(self, limit: int) -> int:
        now = self._clock()
        with self._database.transaction() as connection:
            overdue = self._reservations.lock_overdue_without_payment(connection, now, limit)
            for reservation in overdue:
                self._reservations.cancel(connection, reservation, cancel_unpaid(CancelReason.HOLD_TIMEOUT, now))
        for reservation in overdue:
            self._drop_hold.drop(reservation)
        return len(overdue)

    def _expire_with_payment(self, limit: int) -> int:
        overdue = self._reservations.overdue_with_payment(self._clock(), limit)
        try:
            payments = self._payments.payments(overdue)
        except ServiceUnavailable:
            log.warning("payments unavailable: overdue holds wait", extra={"count": len(overdue)})
            emit({"service": "reservations"}, OverdueHoldsWaiting=len(overdue))
            return 0
        return self._end(overdue, payments)

    def _end(self, overdue: Sequence[ReservationId], payments: dict[ReservationId, ReservationPayment]) -> int:
        """Each in a transaction of its own: what happens to one must not undo the others."""
        cancelled = 0
        for reservation_id in overdue:
            payment = payments.get(reservation_id)
            after: Callable[[], None] | None = None
            with self._database.transaction() as connection:
                reservation = self._reservations.lock(connection, reservation_id)
                if reservation is None or not reservation.is_overdue_at(self._clock()):
                    continue
                if payment is not None and payment.is_paid:
                    log.info("confirmed before its message", extra={"reservation_id": str(reservation_id)})
                    after = self._confirm_paid.confirm(connection, reservation, payment.payment_id, payment.amount)
                else:
                    after = self._cancel(connection, reservation)
                    cancelled += 1
            if after is not None:
                after()
        return cancelled

    def _cancel(self, connection: Connection, reservation: Reservation) -> Callable[[], None]:
        now = self._clock()
        self._reservations.cancel(connection, reservation, cancel_unpaid(CancelReason.HOLD_TIMEOUT, now))
        return lambda: self._drop_hold.drop(reservation)
