"""May a user pay for a reservation now? (PAY-005)"""

from dataclasses import replace
from datetime import timedelta

from common.domain.clock import Clock
from common.domain.ids import PaymentId, ReservationId, UserId
from common.domain.shared_errors import HoldExpired, NotFound
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.reservation import Reservation


class CheckPayable:
    def __init__(self, database: Database, reservations: ReservationRepository, clock: Clock) -> None:
        self._database = database
        self._reservations = reservations
        self._clock = clock

    def check(
        self,
        user_id: UserId,
        reservation_id: ReservationId,
        payment_id: PaymentId | None,
        extension: timedelta,
        *,
        not_started: bool = False,
    ) -> Reservation:
        """The reservation, whose seats cannot be changed any more, and whose hold lasts at least `extension` longer.

        The hold must not expire while the payment gateway approves the payment. `payment_id` pays for it from now on;
        if it was `not_started`, and no other payment came after it, the seats can be changed again. Raises NotFound and
        HoldExpired.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            reservation = self._reservations.lock_own(connection, reservation_id, user_id)
            if reservation is not None and reservation.holds_at(now):
                until = reservation.extended_hold(now + extension) if extension else reservation.hold_expires_at
                if not_started:
                    self._reservations.mark_payment_not_started(connection, reservation.id, payment_id)
                else:
                    self._reservations.start_payment(connection, reservation.id, payment_id, now, until)
                    reservation = replace(reservation, hold_expires_at=until)
        if reservation is None:
            raise NotFound()
        if not reservation.holds_at(now):
            raise HoldExpired(status=reservation.status)
        return reservation
