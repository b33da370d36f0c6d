"""A reservation as its owner sees it (`docs/api.md`, Reservations)."""

from typing import Self
from uuid import UUID

from common.domain.model import Model, Moment
from functions.reservations.domain.reservation import CancelReason, Reservation, Seat, Status
from functions.reservations.usecases.hold_seats import Held


class SeatAnswer(Model):
    id: UUID
    number: str
    grade: str
    price: int

    @classmethod
    def of(cls, seat: Seat) -> Self:
        return cls(id=seat.id, number=seat.number, grade=seat.grade, price=seat.price)


class HeldAnswer(Model):
    reservation_id: UUID
    event_id: UUID
    status: Status
    seats: list[SeatAnswer]
    total_amount: int
    hold_expires_at: Moment
    payment_token: str
    payment_token_expires_at: Moment

    @classmethod
    def of(cls, held: Held) -> Self:
        return cls(
            reservation_id=held.reservation.id,
            event_id=held.reservation.event_id,
            status=held.reservation.status,
            seats=[SeatAnswer.of(seat) for seat in held.reservation.seats],
            total_amount=held.reservation.total_amount,
            hold_expires_at=held.reservation.hold_expires_at,
            payment_token=held.payment_token,
            payment_token_expires_at=held.payment_token_expires_at,
        )


class TicketAnswer(Model):
    number: str
    qr: str


class ReservationAnswer(Model):
    id: UUID
    reservation_id: UUID
    event_id: UUID
    event_title: str
    event_starts_at: Moment
    status: Status
    cancel_reason: CancelReason | None
    seats: list[SeatAnswer]
    total_amount: int
    payment_id: UUID | None
    hold_expires_at: Moment
    created_at: Moment
    confirmed_at: Moment | None
    cancelled_at: Moment | None
    rescheduled_at: Moment | None = None  # the show was moved since it was booked: giving it back is free
    refund_amount: int = 0  # given back, or about to be, when it was cancelled
    fee: int = 0  # kept when it was cancelled
    ticket: TicketAnswer | None = None

    @classmethod
    def of(cls, reservation: Reservation, qr: str | None = None) -> Self:
        return cls(
            id=reservation.id,
            reservation_id=reservation.id,
            event_id=reservation.event_id,
            event_title=reservation.event_title,
            event_starts_at=reservation.event_starts_at,
            status=reservation.status,
            cancel_reason=reservation.cancel_reason,
            seats=[SeatAnswer.of(seat) for seat in reservation.seats],
            total_amount=reservation.total_amount,
            payment_id=reservation.payment_id,
            hold_expires_at=reservation.hold_expires_at,
            created_at=reservation.created_at,
            confirmed_at=reservation.confirmed_at,
            cancelled_at=reservation.cancelled_at,
            rescheduled_at=reservation.rescheduled_at,
            refund_amount=reservation.refund_amount,
            fee=reservation.fee,
            ticket=TicketAnswer(number=reservation.ticket_number, qr=qr) if reservation.ticket_number and qr else None,
        )
