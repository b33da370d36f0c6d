"""Cancel the reservations of cancelled events, and refund them in full (EVT-028)."""

from common.domain.clock import Clock
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_for_event
from functions.reservations.domain.reservation import Reservation
from functions.reservations.usecases.drop_hold import DropHold


class CancelEventReservations:
    def __init__(
        self, database: Database, reservations: ReservationRepository, drop_hold: DropHold, clock: Clock
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._drop_hold = drop_hold
        self._clock = clock

    def cancel_batch(self, limit: int = 200) -> int:
        """Cancels at most `limit` reservations of one event, and returns how many.

        Each batch is a transaction: if the process crashes in one, the next call goes on where the last batch ended.
        """
        cancelled = self._cancel_batch(limit)
        for reservation in cancelled:
            self._drop_hold.drop(reservation)
        return len(cancelled)

    def _cancel_batch(self, limit: int) -> list[Reservation]:
        now = self._clock()
        with self._database.transaction() as connection:
            event_id = self._reservations.lock_unfinished_cancelled_event(connection)
            if event_id is None:
                return []
            live = self._reservations.lock_live_of_event(connection, event_id, limit)
            for reservation in live:
                self._reservations.cancel(connection, reservation, cancel_for_event(reservation, now))
            if not live:
                self._reservations.finish_cancelled_event(connection, event_id, now)
            return live
