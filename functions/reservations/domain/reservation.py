"""A reservation and its rules: what may become of it, and when (RSV-001 to RSV-013)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # base 32 without I, L, O, U: read aloud at a door


class Status(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


class CancelReason(StrEnum):
    USER_REQUEST = "USER_REQUEST"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    HOLD_TIMEOUT = "HOLD_TIMEOUT"
    EVENT_CANCELLED = "EVENT_CANCELLED"


# Cancelled for want of money: should it come yet, the seats are the buyer's again if nobody else has them.
FOR_WANT_OF_MONEY = (CancelReason.HOLD_TIMEOUT, CancelReason.PAYMENT_FAILED)


@dataclass(frozen=True)
class Seat:
    """A seat as it was offered; the price is in won."""

    id: UUID
    number: str
    grade: str
    price: int


@dataclass(frozen=True)
class Reservation:
    id: UUID
    user_id: UUID
    event_id: UUID
    event_title: str
    event_starts_at: datetime
    status: Status
    seats: tuple[Seat, ...]
    total_amount: int  # won
    hold_expires_at: datetime
    created_at: datetime
    cancel_reason: CancelReason | None = None
    payment_id: UUID | None = None
    ticket_number: str | None = None
    confirmed_at: datetime | None = None
    cancelled_at: datetime | None = None
    payment_started_at: datetime | None = None
    fee: int = 0  # won, kept when it was cancelled
    refund_amount: int = 0  # won, given back when it was cancelled
    rescheduled_at: datetime | None = None  # when the show was moved after it was booked
    admission: UUID | None = None  # from the waiting room; None in reservations older than this rule

    @property
    def seat_ids(self) -> list[UUID]:
        return [seat.id for seat in self.seats]

    def holds_at(self, now: datetime) -> bool:
        """Whether its seats may still be paid for."""
        return self.status is Status.PENDING and now < self.hold_expires_at


def ticket_number(reservation_id: UUID) -> str:
    """Twelve characters out of the id's 62 random bits: the same reservation always has the same number."""
    bits = reservation_id.int
    return "".join(CROCKFORD[(bits >> (5 * place)) & 31] for place in reversed(range(12)))
