"""An event's sale and the seats a buyer asks for, as the events service offers them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.domain.ids import EventId, SeatId
from common.domain.limits import MAX_SEATS_PER_RESERVATION, MaxSeatsPer
from common.domain.shared_errors import InvalidInput, SaleClosed, SaleNotOpen, SeatNotFound
from functions.reservations.domain.errors import SeatTaken, TooManySeats
from functions.reservations.domain.reservation import Seat


@dataclass(frozen=True)
class SaleOffer:
    title: str
    starts_at: datetime
    sale_ends_at: datetime
    cancelled: bool
    max_seats: int
    seats: tuple[Seat, ...]  # of the seats asked for, those the event has
    sold: frozenset[SeatId]
    sale_starts_at: datetime | None = None  # the waiting room admits no buyer before it, but may know an older time
    max_seats_per: MaxSeatsPer = "PERSON"

    @property
    def person_limit(self) -> int | None:
        """How many seats of the event a person may have in all live reservations; None if each one counts alone."""
        return self.max_seats if self.max_seats_per == "PERSON" else None


class Offers(Protocol):
    """The events service, or a fake in tests."""

    def offer(self, event_id: EventId, seat_ids: Sequence[SeatId], /) -> SaleOffer: ...


def check_seat_ids(seat_ids: Sequence[SeatId]) -> None:
    """Raises InvalidInput if a seat is asked for twice, TooManySeats above the limit of all events (RSV-005)."""
    if len(set(seat_ids)) != len(seat_ids):
        raise InvalidInput([{"field": "seatIds", "reason": "the same seat twice"}])
    if len(seat_ids) > MAX_SEATS_PER_RESERVATION:
        raise TooManySeats(maxSeats=MAX_SEATS_PER_RESERVATION)


def choose_seats(offer: SaleOffer, seat_ids: Sequence[SeatId], now: datetime) -> tuple[Seat, ...]:
    """The seats asked for, in the order asked.

    Raises TooManySeats, SaleClosed, SaleNotOpen, SeatNotFound, SeatTaken.
    """
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
