"""Payments asks reservations whether a user may pay for a reservation, and how much (PAY-005)."""

from typing import Annotated

from pydantic import Field

from common.domain.ids import EventId, PaymentId, ReservationId, UserId
from common.domain.model import Model, Moment

# The hold extension while a payment is being confirmed: PortOne's two calls of 10 s and a margin. However often it is
# asked for, a hold ends at most this long after its own end.
EXTENSION_SECONDS = 30


class PayableRequest(Model):
    reservation_id: ReservationId
    user_id: UserId
    # The payment that pays for it from now on: the failure of another one does not cancel the reservation.
    payment_id: PaymentId | None = None
    # The payment could not be started, so no buyer can have paid: the seats may be changed again.
    not_started: bool = False
    # The hold must last at least this much longer. It keeps its first name on the wire: versions call each other.
    extension_seconds: Annotated[int, Field(ge=0, le=60, alias="guardSeconds")] = 0


class PayableResponse(Model):
    reservation_id: ReservationId
    event_id: EventId
    event_title: str
    seat_count: int
    total_amount: int  # won
    hold_expires_at: Moment
