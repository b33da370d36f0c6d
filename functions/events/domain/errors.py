"""The errors of the events service."""

from common.domain.shared_errors import DomainError


class VenueInUse(DomainError):
    """An event in the venue is neither over, cancelled nor deleted."""

    code = "VENUE_IN_USE"


class HallInUse(DomainError):
    """An event in the hall is neither over, cancelled nor deleted."""

    code = "HALL_IN_USE"


class SaleStarted(DomainError):
    """The field cannot be changed once the sale has started. `details` lists `fields`."""

    code = "SALE_STARTED"


class SaleNotStarted(DomainError):
    """An event is rescheduled only once its sale has started; before that it is edited."""

    code = "SALE_NOT_STARTED"


class EventHasReservations(DomainError):
    """An event with reservations is cancelled, not deleted."""

    code = "EVENT_HAS_RESERVATIONS"


class EventIsCancelled(DomainError):
    """The event is cancelled."""

    code = "EVENT_CANCELLED"


class EventEnded(DomainError):
    """The event is over."""

    code = "EVENT_ENDED"


class PreconditionFailed(DomainError):
    """The version in If-Match is not the current one (RFC 9110, 13.1.1)."""

    code = "PRECONDITION_FAILED"


class SeatListTooLarge(DomainError):
    """The hall has more seats than one response can carry."""

    code = "SEAT_LIST_TOO_LARGE"


class SeatMoved(DomainError):
    """Another writer changed a seat between our read and our write. A consumer retries its message."""

    code = "SEAT_MOVED"
    retryable = True
