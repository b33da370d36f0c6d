"""May a user pay for a reservation now? (PAY-005)"""

from datetime import timedelta

from common.domain.clock import Clock
from common.domain.ids import ReservationId, UserId
from common.domain.shared_errors import HoldExpired, NotFound
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.reservation import Reservation


class CheckPayable:
    def __init__(self, database: Database, reservations: ReservationRepository, clock: Clock) -> None:
        self._database = database
        self._reservations = reservations
        self._clock = clock

    def check(self, user_id: UserId, reservation_id: ReservationId, extension: timedelta) -> Reservation:
        """The reservation, whose seats cannot be changed any more, and whose hold lasts at least `extension` longer.

        The hold must not expire while the payment gateway approves the payment. Raises NotFound and HoldExpired.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            reservation = self._reservations.lock_own(connection, reservation_id, user_id)
            if reservation is not None and reservation.holds_at(now):
                until = reservation.extended_hold(now + extension) if extension else reservation.hold_expires_at
                self._reservations.start_payment(connection, reservation.id, now, until)
        if reservation is None:
            raise NotFound()
        if not reservation.holds_at(now):
            raise HoldExpired(status=reservation.status)
        return reservation
