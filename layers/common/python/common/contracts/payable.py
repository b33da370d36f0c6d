"""The call by which payments asks reservations whether, and how much, a user may pay (PAY-005)."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.domain.model import Model, Moment

# How much longer a hold lasts while its payment is being approved: PortOne's two calls of 10 s, and some. Counted from
# the hold's own end at the most, however often somebody asks.
GUARD_SECONDS = 30


class PayableAsked(Model):
    reservation_id: UUID
    user_id: UUID
    guard_seconds: Annotated[int, Field(ge=0, le=60)] = 0  # how much longer the hold must last at least


class PayableAnswer(Model):
    reservation_id: UUID
    event_id: UUID
    event_title: str
    seat_count: int
    total_amount: int  # won
    hold_expires_at: Moment
