"""One type for each kind of id, so that mypy finds two ids that were swapped."""

from typing import NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
VenueId = NewType("VenueId", UUID)
HallId = NewType("HallId", UUID)
EventId = NewType("EventId", UUID)
SeatId = NewType("SeatId", UUID)
ReservationId = NewType("ReservationId", UUID)
PaymentId = NewType("PaymentId", UUID)
RefundId = NewType("RefundId", UUID)
