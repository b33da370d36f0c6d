"""Cancel reservations whose hold has expired (RSV-007)."""

from common.domain.clock import Clock
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_unpaid
from functions.reservations.domain.reservation import CancelReason
from functions.reservations.usecases.drop_hold import DropHold


class ExpireHolds:
    def __init__(
        self, database: Database, reservations: ReservationRepository, drop_hold: DropHold, clock: Clock
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._drop_hold = drop_hold
        self._clock = clock

    def expire(self, limit: int = 200) -> int:
        """Cancels at most `limit`, and returns how many."""
        now = self._clock()
        with self._database.transaction() as connection:
            overdue = self._reservations.lock_overdue(connection, now, limit)
            for reservation in overdue:
                self._reservations.cancel(connection, reservation, cancel_unpaid(CancelReason.HOLD_TIMEOUT, now))
        for reservation in overdue:
            self._drop_hold.drop(reservation)
        return len(overdue)
