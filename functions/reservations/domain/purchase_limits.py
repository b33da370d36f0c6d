"""How much one person and one admission may hold (RSV-005)."""

from dataclasses import dataclass

from functions.reservations.domain.errors import TooManyHolds, TooManySeats
from functions.reservations.domain.reservation import Reservation


@dataclass(frozen=True)
class Usage:
    """What else the user of a reservation has of its event."""

    other_seats: int  # in other live reservations
    holds: int  # reservations that its admission has made, also those that ended, and itself


def is_within_person_limit(reservation: Reservation, usage: Usage) -> bool:
    return reservation.person_limit is None or usage.other_seats + len(reservation.seats) <= reservation.person_limit


def check_person_limit(reservation: Reservation, usage: Usage) -> None:
    """Raises TooManySeats."""
    if not is_within_person_limit(reservation, usage):
        raise TooManySeats(maxSeats=reservation.person_limit, maxSeatsPer="PERSON", otherSeats=usage.other_seats)


def check_holds(usage: Usage, holds_per_admission: int) -> None:
    """Raises TooManyHolds: holding and releasing again and again keeps seats from other buyers."""
    if usage.holds > holds_per_admission:
        raise TooManyHolds(maxHolds=holds_per_admission)
