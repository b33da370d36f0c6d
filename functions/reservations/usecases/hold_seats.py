"""The steps of a reservation: hold, release, expire, and what a payment's outcome makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from common.contracts.payable import GUARD_SECONDS
from common.domain.clock import Clock, NewId
from common.domain.shared_errors import (
    DomainError,
    HoldExpired,
    InvalidInput,
    NotFound,
    SaleClosed,
    SaleNotOpen,
    SeatNotFound,
)
from functions.reservations.domain.errors import NotReleasable, SeatTaken, TooManySeats
from functions.reservations.domain.reservation import Reservation, Seat, Status

# Redis remembers a hold this much longer, in case its payment is being approved at the end; the sweep frees it sooner.
GUARD = timedelta(seconds=GUARD_SECONDS)
MOST_SEATS = 4  # of one reservation, whatever its event allows (RSV-005)


@dataclass(frozen=True)
class Offer:
    """What the events service says of an event and of the seats asked for."""

    title: str
    starts_at: datetime
    sale_ends_at: datetime
    cancelled: bool
    max_seats: int
    seats: tuple[Seat, ...]  # of those asked for, the ones the event has
    sold: frozenset[UUID]
    sale_starts_at: datetime | None = None  # the waiting room keeps people out before; it may know an older time


class Catalogue(Protocol):
    def offer(self, event_id: UUID, seat_ids: Sequence[UUID]) -> Offer: ...


class Holds(Protocol):
    def take(
        self, event_id: UUID, reservation_id: UUID, seat_ids: Sequence[UUID], life: timedelta, now: datetime
    ) -> list[UUID]: ...
    def release(self, event_id: UUID, reservation_id: UUID, seat_ids: Sequence[UUID]) -> None: ...


class Reservations(Protocol):
    def add(self, reservation: Reservation, now: datetime) -> None: ...
    def holding(self, event_id: UUID, seat_ids: Sequence[UUID]) -> list[Reservation]: ...
    def release(self, reservation_id: UUID, user_id: UUID, now: datetime) -> Reservation | None: ...
    def change(self, reservation: Reservation, seats: tuple[Seat, ...], holds: Holds, now: datetime) -> Reservation: ...
    def cancel_own(self, reservation_id: UUID, user_id: UUID, now: datetime) -> Reservation: ...
    def expire(self, now: datetime, limit: int) -> list[Reservation]: ...
    def cancel_for_events(self, now: datetime, limit: int) -> list[Reservation]: ...
    def keep(
        self, reservation_id: UUID, user_id: UUID, now: datetime, until: datetime | None
    ) -> Reservation | None: ...


class PaymentTokens(Protocol):
    def issue_payment(self, event_id: UUID, reservation_id: UUID, seconds: int) -> str: ...
    def end(self, event_id: UUID, user_id: UUID | None, reservation_id: UUID) -> None: ...


@dataclass(frozen=True)
class Held:
    """A reservation and the right to pay for it."""

    reservation: Reservation
    payment_token: str
    payment_token_expires_at: datetime


class Booking:
    def __init__(
        self,
        *,
        catalogue: Catalogue,
        holds: Holds,
        reservations: Reservations,
        tokens: PaymentTokens,
        clock: Clock,
        new_id: NewId,
        hold_seconds: int,
        payment_token_seconds: int,
    ) -> None:
        self._catalogue = catalogue
        self._holds = holds
        self._reservations = reservations
        self._tokens = tokens
        self._clock = clock
        self._new_id = new_id
        self._hold = timedelta(seconds=hold_seconds)
        self._payment_token_seconds = payment_token_seconds

    def hold(self, user_id: UUID, event_id: UUID, seat_ids: Sequence[UUID], admission: UUID) -> Held:
        """Hold all the seats or none and make the PENDING reservation (RSV-001, RSV-005), the one of its admission.

        Die after Redis took the holds and they end by themselves; die after Postgres took the reservation and the
        user finds it in GET /reservations, and it expires with its hold.
        """
        now = self._clock()
        offer = self._offer(event_id, seat_ids)
        seats = _chosen(offer, seat_ids, now)
        reservation = Reservation(
            id=self._new_id(),
            user_id=user_id,
            event_id=event_id,
            event_title=offer.title,
            event_starts_at=offer.starts_at,
            status=Status.PENDING,
            seats=seats,
            total_amount=sum(seat.price for seat in seats),
            hold_expires_at=now + self._hold,
            created_at=now,
            admission=admission,
        )
        taken = self._holds.take(event_id, reservation.id, seat_ids, self._hold + GUARD, now)
        if taken:
            raise SeatTaken(seatIds=[str(seat) for seat in taken])
        try:
            self._reservations.add(reservation, now)
        except DomainError:
            # Only when nothing was written. After a lost commit the seats may be ours: the hold's end frees them.
            self._holds.release(event_id, reservation.id, seat_ids)
            self._remember(event_id, seat_ids, now)
            raise
        return self._with_token(reservation, now)

    def _remember(self, event_id: UUID, seat_ids: Sequence[UUID], now: datetime) -> None:
        """Redis said free and Postgres said held: Redis has forgotten, and would show the seats as free to all."""
        for other in self._reservations.holding(event_id, seat_ids):
            left = other.hold_expires_at + GUARD - now
            if left > timedelta():
                self._holds.take(event_id, other.id, other.seat_ids, left, now)

    def _offer(self, event_id: UUID, seat_ids: Sequence[UUID]) -> Offer:
        if len(set(seat_ids)) != len(seat_ids):
            raise InvalidInput([{"field": "seatIds", "reason": "the same seat twice"}])
        if len(seat_ids) > MOST_SEATS:
            raise TooManySeats(maxSeats=MOST_SEATS)
        return self._catalogue.offer(event_id, seat_ids)

    def _with_token(self, reservation: Reservation, now: datetime) -> Held:
        token = self._tokens.issue_payment(reservation.event_id, reservation.id, self._payment_token_seconds)
        return Held(reservation, token, now + timedelta(seconds=self._payment_token_seconds))

    def change(self, reservation: Reservation, seat_ids: Sequence[UUID]) -> Held:
        """Hold other seats instead, until the same time; on any refusal the old seats stay held (RSV-002).

        Of several at once each begins where the one before it ended. Die after Redis took the new seats, and they end
        with the hold; die after it let go of the old ones, and Postgres still refuses them to others.
        """
        now = self._clock()
        seats = _chosen(self._offer(reservation.event_id, seat_ids), seat_ids, now)
        return self._with_token(self._reservations.change(reservation, seats, self._holds, now), now)

    def cancel(self, user_id: UUID, reservation_id: UUID) -> Reservation:
        """Cancel at the fee of the day, as often as asked; the money goes back by message (RSV-006)."""
        cancelled = self._reservations.cancel_own(reservation_id, user_id, self._clock())
        self.free(cancelled)
        return cancelled

    def release(self, user_id: UUID, reservation_id: UUID) -> None:
        """Give up a hold. Again on one that is given up already: nothing more happens."""
        found = self._reservations.release(reservation_id, user_id, self._clock())
        if found is None:
            raise NotFound()
        if found.status is Status.CONFIRMED:
            raise NotReleasable()
        self.free(found)

    def expire(self, limit: int = 200) -> int:
        """End holds whose time is up, at most `limit`; how many."""
        overdue = self._reservations.expire(self._clock(), limit)
        for reservation in overdue:
            self.free(reservation)
        return len(overdue)

    def cancel_for_events(self, limit: int = 200) -> int:
        """End reservations of events that were cancelled, with all of their money, at most `limit`; how many (EVT-028).

        Die in the middle and the next call goes on.
        """
        cancelled = self._reservations.cancel_for_events(self._clock(), limit)
        for reservation in cancelled:
            self.free(reservation)
        return len(cancelled)

    def free(self, reservation: Reservation) -> None:
        """What Redis remembers of a reservation that is over. Lost, it ends by itself."""
        self._holds.release(reservation.event_id, reservation.id, reservation.seat_ids)
        self._tokens.end(reservation.event_id, None, reservation.id)

    def payable(self, user_id: UUID, reservation_id: UUID, guard: timedelta) -> Reservation:
        """The reservation, if it may be paid for now; its hold then lasts at least `guard` longer (PAY-005).

        The guard covers the seconds in which the bank is asked: a hold must not end between yes and money.
        """
        now = self._clock()
        reservation = self._reservations.keep(reservation_id, user_id, now, now + guard if guard else None)
        if reservation is None:
            raise NotFound()
        if not reservation.holds_at(now):
            raise HoldExpired(status=reservation.status)
        return reservation


def _chosen(offer: Offer, seat_ids: Sequence[UUID], now: datetime) -> tuple[Seat, ...]:
    """The seats asked for, in the order asked, or why not."""
    if len(seat_ids) > offer.max_seats:
        raise TooManySeats(maxSeats=offer.max_seats)
    if offer.cancelled or now >= offer.sale_ends_at:
        raise SaleClosed()
    if offer.sale_starts_at is not None and now < offer.sale_starts_at:
        raise SaleNotOpen()
    by_id = {seat.id: seat for seat in offer.seats}
    unknown = [seat for seat in seat_ids if seat not in by_id]
    if unknown:
        raise SeatNotFound(seatIds=[str(seat) for seat in unknown])
    sold = [seat for seat in seat_ids if seat in offer.sold]
    if sold:
        raise SeatTaken(seatIds=[str(seat) for seat in sold])
    return tuple(by_id[seat] for seat in seat_ids)
