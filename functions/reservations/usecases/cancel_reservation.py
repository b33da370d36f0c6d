"""Cancel a reservation at the cancellation fee of the day (RSV-006)."""

from dataclasses import replace

from common.domain.clock import Clock
from common.domain.ids import ReservationId, UserId
from common.domain.shared_errors import NotFound
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_for_buyer
from functions.reservations.domain.reservation import Reservation, Status
from functions.reservations.usecases.drop_hold import DropHold


class CancelReservation:
    def __init__(
        self, database: Database, reservations: ReservationRepository, drop_hold: DropHold, clock: Clock
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._drop_hold = drop_hold
        self._clock = clock

    def cancel(self, user_id: UserId, reservation_id: ReservationId, expected_fee: int | None = None) -> Reservation:
        """The reservation, cancelled now or before; payments refunds it when it reads the message.

        Raises NotFound, NotCancellable, and CancellationFeeChanged if it would cost another fee than expected.
        """
        cancelled = self._cancel(user_id, reservation_id, expected_fee)
        self._drop_hold.drop(cancelled)
        return cancelled

    def _cancel(self, user_id: UserId, reservation_id: ReservationId, expected_fee: int | None) -> Reservation:
        now = self._clock()
        with self._database.transaction() as connection:
            reservation = self._reservations.lock_own(connection, reservation_id, user_id)
            if reservation is None:
                raise NotFound()
            if reservation.status is Status.CANCELLED:
                if reservation.is_unpaid_cancelled:
                    # If its payment comes later, it is refunded, not used for the seats.
                    self._reservations.mark_user_cancelled(connection, reservation.id)
                return reservation
            event_cancelled = self._reservations.is_event_cancelled(connection, reservation)
            cancellation = cancel_for_buyer(
                reservation, now, event_cancelled=event_cancelled, expected_fee=expected_fee
            )
            self._reservations.cancel(connection, reservation, cancellation)
        return replace(
            reservation,
            status=Status.CANCELLED,
            fee=cancellation.fee,
            refund_amount=cancellation.refund_amount,
        )
