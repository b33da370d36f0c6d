"""What to do when a unique index rejects a hold."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from common.domain.shared_errors import DomainError, QueueTokenInvalid
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import cancel_unpaid
from functions.reservations.domain.errors import (
    ConflictKind,
    HoldExists,
    ReservationConflict,
    SeatTaken,
    hold_exists,
)
from functions.reservations.domain.reservation import CancelReason, Reservation

ResultT = TypeVar("ResultT")


class ConflictResolution:
    def __init__(self, database: Database, reservations: ReservationRepository) -> None:
        self._database = database
        self._reservations = reservations

    def write(self, reservation: Reservation, now: datetime, write: Callable[[], ResultT]) -> ResultT:
        """What `write` returns, which may raise ReservationConflict once.

        What it conflicts with may be a hold that has expired and that `expire_holds` has not cancelled yet: that one is
        cancelled here, and the seats are free. One with a payment is left to `expire_holds`, which asks whether it is
        paid. Raises SeatTaken, HoldExists or, if the admission has bought already,
        QueueTokenInvalid.
        """
        try:
            return write()
        except ReservationConflict:
            self._cancel_overdue(reservation, now)
            try:
                return write()
            except ReservationConflict as conflict:
                raise self._error(reservation, conflict.kind) from None

    def _cancel_overdue(self, reservation: Reservation, now: datetime) -> None:
        with self._database.transaction() as connection:
            for overdue in self._reservations.lock_overdue_conflicts(connection, reservation, now):
                self._reservations.cancel(connection, overdue, cancel_unpaid(CancelReason.HOLD_TIMEOUT, now))

    def _error(self, reservation: Reservation, kind: ConflictKind) -> DomainError:
        if kind is ConflictKind.HOLD:
            held = self._reservations.pending_of(reservation.user_id, reservation.event_id)
            return hold_exists(held) if held else HoldExists()
        if kind is ConflictKind.ADMISSION:
            return QueueTokenInvalid()  # as it will be for the next request that carries it
        return SeatTaken(seatIds=[str(seat) for seat in self._reservations.seats_of_others(reservation)])
