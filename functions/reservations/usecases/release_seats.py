"""Give up a hold before it is paid for."""

from common.domain.clock import Clock
from common.domain.ids import ReservationId, UserId
from common.domain.shared_errors import NotFound
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_unpaid
from functions.reservations.domain.errors import NotReleasable
from functions.reservations.domain.reservation import CancelReason, Status
from functions.reservations.usecases.drop_hold import DropHold


class ReleaseSeats:
    def __init__(
        self, database: Database, reservations: ReservationRepository, drop_hold: DropHold, clock: Clock
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._drop_hold = drop_hold
        self._clock = clock

    def release(self, user_id: UserId, reservation_id: ReservationId) -> None:
        """Repeating it changes nothing. Raises NotFound, and NotReleasable if the reservation is confirmed."""
        now = self._clock()
        with self._database.transaction() as connection:
            reservation = self._reservations.lock_own(connection, reservation_id, user_id)
            if reservation is not None and reservation.status is Status.PENDING:
                self._reservations.cancel(connection, reservation, cancel_unpaid(CancelReason.USER_REQUEST, now))
            elif reservation is not None and reservation.is_unpaid_cancelled:
                # If its payment comes later, it is refunded, not used for the seats.
                self._reservations.mark_user_cancelled(connection, reservation.id)
        if reservation is None:
            raise NotFound()
        if reservation.status is Status.CONFIRMED:
            raise NotReleasable()
        self._drop_hold.drop(reservation)
