"""Hold other seats instead, until the same time (RSV-002)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from common.domain.clock import Clock
from common.domain.ids import SeatId
from common.domain.shared_errors import HoldExpired
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.errors import PaymentStarted, ReservationConflict, SeatTaken
from functions.reservations.domain.purchase_limits import check_person_limit
from functions.reservations.domain.reservation import Reservation
from functions.reservations.domain.sale_offer import Offers, check_seat_ids, choose_seats
from functions.reservations.usecases.conflict_resolution import ConflictResolution
from functions.reservations.usecases.payable_hold import PayableHold, PaymentTokenIssuer


class ChangeSeats:
    def __init__(
        self,
        *,
        database: Database,
        reservations: ReservationRepository,
        seat_holds: SeatHolds,
        offers: Offers,
        payment_tokens: PaymentTokenIssuer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._seat_holds = seat_holds
        self._offers = offers
        self._payment_tokens = payment_tokens
        self._clock = clock
        self._conflicts = ConflictResolution(database, reservations)

    def change(self, reservation: Reservation, seat_ids: Sequence[SeatId]) -> PayableHold:
        """After any error the old seats stay held. Of several changes at once, each begins where the one before ended.

        If the process crashes after Redis took the new seats, they are released with the hold. If it crashes after
        Redis released the old ones, Postgres still rejects other holds of them.
        """
        now = self._clock()
        check_seat_ids(seat_ids)
        offer = self._offers.offer(reservation.event_id, seat_ids)
        seats = choose_seats(offer, seat_ids, now)
        wanted = replace(reservation, seats=seats, total_amount=sum(seat.price for seat in seats))
        changed = self._conflicts.write(wanted, now, lambda: self._change(wanted, now))
        hold = self._payment_tokens.issue_again(changed)
        if hold is None:
            raise HoldExpired()
        return hold

    def _change(self, wanted: Reservation, now: datetime) -> Reservation:
        """Takes and releases seats in Redis while the reservation's row is locked: of two changes at once, the second
        would otherwise release seats of the first, or keep seats held that no reservation has."""
        with self._database.transaction() as connection:
            held = self._reservations.lock(connection, wanted.id)
            if held is None or not held.holds_at(now):
                raise HoldExpired()
            if held.payment_started_at is not None:
                raise PaymentStarted()
            self._reservations.lock_person(connection, held)
            check_person_limit(wanted, self._reservations.usage(connection, held))
            added = [seat for seat in wanted.seats if seat.id not in held.seat_ids]
            added_ids = [seat.id for seat in added]
            taken = self._seat_holds.take(held.event_id, held.id, added_ids, held.time_left_in_redis(now), now)
            if taken:
                raise SeatTaken(seatIds=[str(seat) for seat in taken])
            try:
                self._reservations.replace_seats(connection, wanted, added)
            except ReservationConflict:
                self._seat_holds.release(held.event_id, held.id, added_ids)  # before the rollback ends the lock
                raise
            removed_ids = [seat for seat in held.seat_ids if seat not in wanted.seat_ids]
            self._seat_holds.release(held.event_id, held.id, removed_ids)
            return replace(held, seats=wanted.seats, total_amount=wanted.total_amount)
