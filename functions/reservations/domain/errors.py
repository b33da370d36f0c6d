"""Why the reservations service rejects a request."""

from common.domain.shared_errors import DomainError


class SeatTaken(DomainError):
    """Another reservation has some of the seats. `details` lists `seatIds`."""

    code = "SEAT_TAKEN"


class TooManySeats(DomainError):
    """More seats than one reservation may have (RSV-005)."""

    code = "TOO_MANY_SEATS"


class HoldExists(DomainError):
    """The user holds seats of this event already. `details` has `reservationId`."""

    code = "HOLD_EXISTS"


class NotCancellable(DomainError):
    """It is the day of the event, or the reservation is not confirmed."""

    code = "NOT_CANCELLABLE"


class NotReleasable(DomainError):
    """The reservation is confirmed or cancelled already."""

    code = "NOT_RELEASABLE"


class PaymentStarted(DomainError):
    """A payment for this reservation is being confirmed."""

    code = "PAYMENT_STARTED"
