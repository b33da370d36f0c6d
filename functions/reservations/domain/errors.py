"""Why the reservations service rejects a request, and what its repository raises."""

from enum import Enum

from common.domain.model import rfc3339
from common.domain.shared_errors import DomainError
from functions.reservations.domain.reservation import Reservation


class SeatTaken(DomainError):
    """Another reservation has some of the seats. `details` lists `seatIds`."""

    code = "SEAT_TAKEN"


class TooManySeats(DomainError):
    """More seats than one reservation, or one person in all live reservations of the event, may have (RSV-005).

    `details` has `maxSeats`; for a person also `maxSeatsPer` and `otherSeats`, the seats of the other reservations.
    """

    code = "TOO_MANY_SEATS"


class TooManyHolds(DomainError):
    """The admission has held seats as often as it may. `details` has `maxHolds`."""

    code = "TOO_MANY_HOLDS"


class HoldExists(DomainError):
    """The user holds seats of this event already. `details` has the way on: `reservationId`, `seatIds`,
    `holdExpiresAt`."""

    code = "HOLD_EXISTS"


def hold_exists(held: Reservation) -> HoldExists:
    return HoldExists(
        reservationId=str(held.id),
        seatIds=[str(seat) for seat in held.seat_ids],
        holdExpiresAt=rfc3339(held.hold_expires_at),
    )


class NotCancellable(DomainError):
    """It is the day of the event, or the reservation is not confirmed."""

    code = "NOT_CANCELLABLE"


class CancellationFeeChanged(DomainError):
    """Cancelling costs another fee than the buyer expects. `details` has the terms of now: `refundAmount`, `fee`,
    `feePercent`, `changesAt`."""

    code = "CANCELLATION_FEE_CHANGED"


class NotReleasable(DomainError):
    """The reservation is confirmed or cancelled already."""

    code = "NOT_RELEASABLE"


class PaymentStarted(DomainError):
    """A payment for this reservation is being confirmed."""

    code = "PAYMENT_STARTED"


class ConflictKind(Enum):
    SEAT = "a seat is in another live reservation"
    HOLD = "the user has a live hold for this event"
    ADMISSION = "the admission has bought already"


class ReservationConflict(Exception):
    """A unique index of the database rejected a reservation. A use case decides which error the buyer gets."""

    def __init__(self, kind: ConflictKind) -> None:
        super().__init__(kind.value)
        self.kind = kind
