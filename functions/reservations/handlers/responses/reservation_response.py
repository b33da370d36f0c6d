"""A reservation as its owner sees it (`docs/api.md`, Reservations)."""

from typing import Literal, Self

from common.domain.ids import EventId, PaymentId, ReservationId, SeatId
from common.domain.model import Model, Moment
from functions.reservations.domain.cancellation import CancellationTerms
from functions.reservations.domain.reservation import CancelReason, Reservation, Seat, Status
from functions.reservations.usecases.payable_hold import PayableHold
from functions.reservations.usecases.read_reservation import OwnReservation


class SeatResponse(Model):
    id: SeatId
    number: str
    grade: str
    price: int

    @classmethod
    def of(cls, seat: Seat) -> Self:
        return cls(id=seat.id, number=seat.number, grade=seat.grade, price=seat.price)


class HeldResponse(Model):
    reservation_id: ReservationId
    event_id: EventId
    status: Status
    seats: list[SeatResponse]
    total_amount: int
    hold_expires_at: Moment
    payment_token: str
    payment_token_expires_at: Moment

    @classmethod
    def of(cls, held: PayableHold) -> Self:
        return cls(
            reservation_id=held.reservation.id,
            event_id=held.reservation.event_id,
            status=held.reservation.status,
            seats=[SeatResponse.of(seat) for seat in held.reservation.seats],
            total_amount=held.reservation.total_amount,
            hold_expires_at=held.reservation.hold_expires_at,
            payment_token=held.payment_token,
            payment_token_expires_at=held.payment_token_expires_at,
        )


class TicketResponse(Model):
    number: str
    qr: str


class CancellationTermsResponse(Model):
    refund_amount: int
    fee: int
    fee_percent: int
    changes_at: Moment | None


class ReservationResponse(Model):
    id: ReservationId
    reservation_id: ReservationId
    event_id: EventId
    event_title: str
    event_starts_at: Moment
    status: Status
    cancel_reason: CancelReason | None
    seats: list[SeatResponse]
    total_amount: int
    payment_id: PaymentId | None
    hold_expires_at: Moment
    created_at: Moment
    confirmed_at: Moment | None
    cancelled_at: Moment | None
    rescheduled_at: Moment | None = None  # the event was moved since: cancelling is free
    refund_amount: int = 0  # returned, or about to be, when it was cancelled
    fee: int = 0  # kept when it was cancelled
    cancellation: CancellationTermsResponse | None = None  # what cancelling costs now; null if it is impossible
    ticket: TicketResponse | None = None

    @classmethod
    def of(cls, reservation: Reservation, terms: CancellationTerms | None, qr: str | None = None) -> Self:
        number = reservation.ticket_number
        return cls(
            id=reservation.id,
            reservation_id=reservation.id,
            event_id=reservation.event_id,
            event_title=reservation.event_title,
            event_starts_at=reservation.event_starts_at,
            status=reservation.status,
            cancel_reason=reservation.cancel_reason,
            seats=[SeatResponse.of(seat) for seat in reservation.seats],
            total_amount=reservation.total_amount,
            payment_id=reservation.payment_id,
            hold_expires_at=reservation.hold_expires_at,
            created_at=reservation.created_at,
            confirmed_at=reservation.confirmed_at,
            cancelled_at=reservation.cancelled_at,
            rescheduled_at=reservation.rescheduled_at,
            refund_amount=reservation.refund_amount,
            fee=reservation.fee,
            cancellation=CancellationTermsResponse.model_validate(terms, from_attributes=True) if terms else None,
            ticket=TicketResponse(number=number, qr=qr) if number and qr else None,
        )


class OpenPaymentResponse(Model):
    """What PortOne's browser SDK needs to go on with a payment."""

    payment_id: PaymentId
    payment_key: str
    amount: int
    status: Literal["PENDING", "SUCCESS", "REFUNDED"]
    store_id: str
    channel_key: str
    order_name: str


class ReservationDetailResponse(ReservationResponse):
    """While the hold lasts also what is needed to pay; null afterwards."""

    payment_token: str | None = None
    payment_token_expires_at: Moment | None = None
    payment: OpenPaymentResponse | None = None

    @classmethod
    def of_own(cls, own: OwnReservation, qr: str | None) -> Self:
        hold, payment = own.hold, own.payment
        return cls.of(own.reservation, own.cancellation, qr).model_copy(
            update={
                "payment_token": hold.payment_token if hold else None,
                "payment_token_expires_at": hold.payment_token_expires_at if hold else None,
                "payment": OpenPaymentResponse.model_validate(payment, from_attributes=True) if payment else None,
            }
        )
