"""Close a user's purchases before the account is withdrawn: nothing may be left that only its owner can reach
(AUTH-018)."""

from common.domain.clock import Clock
from common.domain.ids import UserId
from common.domain.shared_errors import AccountInUse
from common.stores.postgres import Connection, Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_for_buyer
from functions.reservations.domain.closing_terms import CLOSING_FOR, in_use
from functions.reservations.domain.errors import NotCancellable
from functions.reservations.domain.reservation import Reservation, Status
from functions.reservations.usecases.drop_hold import DropHold


class CloseAccount:
    def __init__(
        self, database: Database, reservations: ReservationRepository, drop_hold: DropHold, clock: Clock
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._drop_hold = drop_hold
        self._clock = clock

    def close(self, user_id: UserId, *, cancel: bool) -> int:
        """From now on no seats are held for the user, for `CLOSING_FOR`; how many reservations were cancelled.

        All in one transaction: either everything is closed or nothing has changed. If the caller does not withdraw the
        account after it, what was cancelled stays so, the account can be used again, and closing can be repeated.

        Raises AccountInUse if something is live and `cancel` is false, or if it cannot be cancelled: a ticket of today.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            found = self._reservations.lock_closing(connection, user_id, now, now + CLOSING_FOR)
            live = [reservation for reservation in found if reservation.status is not Status.CANCELLED]
            stops = self._cancel_all(connection, live) if cancel else in_use(found, now)
            if stops:
                raise stops
            for reservation in found:
                if reservation.is_unpaid_cancelled:
                    # If its payment comes later, it is refunded, not used for the seats.
                    self._reservations.mark_user_cancelled(connection, reservation.id)
        for reservation in live:
            self._drop_hold.drop(reservation)
        return len(live)

    def _cancel_all(self, connection: Connection, live: list[Reservation]) -> AccountInUse | None:
        now, kept = self._clock(), []
        for reservation in live:
            event_cancelled = self._reservations.is_event_cancelled(connection, reservation)
            try:
                cancellation = cancel_for_buyer(reservation, now, event_cancelled=event_cancelled)
            except NotCancellable:
                kept.append(reservation)
                continue
            self._reservations.cancel(connection, reservation, cancellation)
        return in_use(kept, now)
