"""Hold seats: all of them or none (RSV-001, RSV-005)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from common.domain.clock import Clock, NewId
from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.domain.shared_errors import DomainError
from common.stores.postgres import Database
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.errors import HoldExists, SeatTaken, hold_exists
from functions.reservations.domain.purchase_limits import check_holds, check_person_limit
from functions.reservations.domain.reservation import HOLD_EXTENSION, Reservation, Status
from functions.reservations.domain.sale_offer import Offers, check_seat_ids, choose_seats
from functions.reservations.usecases.conflict_resolution import ConflictResolution
from functions.reservations.usecases.payable_hold import PayableHold, PaymentTokenIssuer


class HoldSeats:
    def __init__(
        self,
        *,
        database: Database,
        reservations: ReservationRepository,
        seat_holds: SeatHolds,
        offers: Offers,
        payment_tokens: PaymentTokenIssuer,
        clock: Clock,
        new_id: NewId,
        hold_seconds: int,
        holds_per_admission: int,
    ) -> None:
        self._database = database
        self._reservations = reservations
        self._seat_holds = seat_holds
        self._offers = offers
        self._payment_tokens = payment_tokens
        self._clock = clock
        self._new_id = new_id
        self._hold = timedelta(seconds=hold_seconds)
        self._holds_per_admission = holds_per_admission
        self._conflicts = ConflictResolution(database, reservations)

    def hold(self, user_id: UserId, event_id: EventId, seat_ids: Sequence[SeatId], admission: UUID) -> PayableHold:
        """The PENDING reservation of an admission: a new one, or the user's live one with the same seats.

        If the process crashes after Redis took the seats, they are released when their time is over. If it crashes
        after Postgres wrote the reservation, the user finds it in GET /reservations, and it expires with its hold.
        """
        now = self._clock()
        check_seat_ids(seat_ids)
        offer = self._offers.offer(event_id, seat_ids)
        seats = choose_seats(offer, seat_ids, now)
        reservation = Reservation(
            id=ReservationId(self._new_id()),
            user_id=user_id,
            event_id=event_id,
            event_title=offer.title,
            event_starts_at=offer.starts_at,
            status=Status.PENDING,
            seats=seats,
            total_amount=sum(seat.price for seat in seats),
            hold_expires_at=now + self._hold,
            hold_extendable_until=now + self._hold + HOLD_EXTENSION,
            created_at=now,
            person_limit=offer.person_limit,
            admission=admission,
        )
        taken = self._seat_holds.take(event_id, reservation.id, seat_ids, reservation.time_left_in_redis(now), now)
        if taken:
            return self._repeated(reservation, now, otherwise=SeatTaken(seatIds=[str(seat) for seat in taken]))
        try:
            self._conflicts.write(reservation, now, lambda: self._add(reservation))
        except (SeatTaken, HoldExists) as error:
            self._undo(reservation, now)
            return self._repeated(reservation, now, otherwise=error)
        except DomainError:
            self._undo(reservation, now)
            raise
        return self._payment_tokens.issue(reservation, now, is_new=True)

    def _repeated(self, wanted: Reservation, now: datetime, *, otherwise: DomainError) -> PayableHold:
        """The user's live hold of the same seats: a request whose answer was lost.

        Raises HoldExists if it has other seats, and `otherwise` without a live hold.
        """
        held = self._reservations.pending_of(wanted.user_id, wanted.event_id)
        if held is None or not held.holds_at(now):
            raise otherwise
        if set(held.seat_ids) != set(wanted.seat_ids):
            raise hold_exists(held)
        again = self._payment_tokens.issue_again(held)
        if again is None:
            raise otherwise
        return again

    def _add(self, reservation: Reservation) -> None:
        with self._database.transaction() as connection:
            self._reservations.add(connection, reservation)
            usage = self._reservations.usage(connection, reservation)
            check_holds(usage, self._holds_per_admission)
            check_person_limit(reservation, usage)

    def _undo(self, reservation: Reservation, now: datetime) -> None:
        """Only if nothing was written. After a lost commit the reservation may exist: its seats are released when the
        hold expires."""
        self._seat_holds.release(reservation.event_id, reservation.id, reservation.seat_ids)
        self._restore(reservation.event_id, reservation.seat_ids, now)

    def _restore(self, event_id: EventId, seat_ids: Sequence[SeatId], now: datetime) -> None:
        """Redis found the seats free, Postgres did not: Redis lost their holds, and seat maps show them as free."""
        for other in self._reservations.pending_with(event_id, seat_ids):
            left = other.time_left_in_redis(now)
            if left > timedelta():
                self._seat_holds.take(event_id, other.id, other.seat_ids, left, now)
