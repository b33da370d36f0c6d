"""A reservation: what it consists of, its states, and how long its hold lasts (RSV-001 to RSV-013)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

from common.contracts.payable import EXTENSION_SECONDS
from common.domain.ids import EventId, PaymentId, ReservationId, SeatId, UserId

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # base 32 without I, L, O, U, so that it can be read aloud at a door
# The most a hold can be extended while a payment is being confirmed. Redis keeps every hold this much longer.
HOLD_EXTENSION = timedelta(seconds=EXTENSION_SECONDS)


class Status(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


class CancelReason(StrEnum):
    USER_REQUEST = "USER_REQUEST"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    HOLD_TIMEOUT = "HOLD_TIMEOUT"
    EVENT_CANCELLED = "EVENT_CANCELLED"


# Cancelled because no payment came. If one comes later, it confirms the reservation while the seats are still free.
UNPAID_CANCEL_REASONS = (CancelReason.HOLD_TIMEOUT, CancelReason.PAYMENT_FAILED)


@dataclass(frozen=True)
class Seat:
    """A seat as it was offered; the price is in won."""

    id: SeatId
    number: str
    grade: str
    price: int


@dataclass(frozen=True)
class Reservation:
    id: ReservationId
    user_id: UserId
    event_id: EventId
    event_title: str
    event_starts_at: datetime
    status: Status
    seats: tuple[Seat, ...]
    total_amount: int  # won
    hold_expires_at: datetime
    hold_extendable_until: datetime
    created_at: datetime
    cancel_reason: CancelReason | None = None
    payment_id: PaymentId | None = None  # that pays for it: the current one while it is PENDING
    ticket_number: str | None = None
    confirmed_at: datetime | None = None
    cancelled_at: datetime | None = None
    payment_started_at: datetime | None = None
    fee: int = 0  # won, kept when it was cancelled
    refund_amount: int = 0  # won, returned when it was cancelled
    rescheduled_at: datetime | None = None  # when the event was moved after the reservation was made
    person_limit: int | None = None  # seats of the event that its user may have in all; None: it counts alone
    admission: UUID | None = None  # from the waiting room; None in reservations older than this rule

    @property
    def seat_ids(self) -> list[SeatId]:
        return [seat.id for seat in self.seats]

    @property
    def can_be_confirmed(self) -> bool:
        """Whether a payment that arrives now may confirm it, if its seats are free."""
        return self.status is Status.PENDING or self.is_unpaid_cancelled

    @property
    def is_paid(self) -> bool:
        """Whether its payment has taken effect: it was confirmed, or refunded at once. It has one payment at most."""
        return self.confirmed_at is not None or self.refund_amount > 0

    @property
    def is_unpaid_cancelled(self) -> bool:
        return self.cancel_reason in UNPAID_CANCEL_REASONS

    def is_paid_by(self, payment_id: PaymentId) -> bool:
        """Whether this payment is its current one; a reservation older than this rule does not know."""
        return self.payment_id in (None, payment_id)

    def holds_at(self, now: datetime) -> bool:
        """Whether its seats may still be paid for."""
        return self.status is Status.PENDING and now < self.hold_expires_at

    def is_overdue_at(self, now: datetime) -> bool:
        """Whether its hold has expired and nothing has ended it yet."""
        return self.status is Status.PENDING and now >= self.hold_expires_at

    def extended_hold(self, until: datetime) -> datetime:
        """When the hold expires if a payment needs it until `until`: a hold is never shortened, and never extended
        beyond `hold_extendable_until`, however often a payment asks (PAY-005)."""
        return max(self.hold_expires_at, min(until, self.hold_extendable_until))

    def time_left_in_redis(self, now: datetime) -> timedelta:
        """How long Redis keeps its seats held: until the hold expires and the longest extension is over."""
        return self.hold_expires_at + HOLD_EXTENSION - now


@dataclass(frozen=True)
class LiveSeats:
    """The seats of one reservation that is PENDING or CONFIRMED."""

    reservation_id: ReservationId
    status: Literal["PENDING", "CONFIRMED"]
    seat_ids: tuple[SeatId, ...]


@dataclass(frozen=True)
class ReservationCounts:
    """How many reservations an event has."""

    pending: int
    confirmed: int
    event_cancelled: int  # CANCELLED because the event was
    refund_amount: int  # won, of those
    all_cancelled: bool  # the event was cancelled, and so is every reservation of it


def ticket_number(reservation_id: ReservationId) -> str:
    """Twelve characters out of the id's 62 random bits: the same reservation always has the same number."""
    bits = reservation_id.int
    return "".join(CROCKFORD[(bits >> (5 * place)) & 31] for place in reversed(range(12)))
