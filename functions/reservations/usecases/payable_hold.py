"""A PENDING reservation with the token that allows its payment."""

from dataclasses import dataclass
from datetime import datetime

from common.domain.clock import Clock
from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.reservation import Reservation


@dataclass(frozen=True)
class PayableHold:
    reservation: Reservation
    payment_token: str
    payment_token_expires_at: datetime
    is_new: bool = False  # made by this request


class PaymentTokenIssuer:
    def __init__(self, tokens: QueueTokens, reservations: ReservationRepository, clock: Clock, seconds: int) -> None:
        self._tokens = tokens
        self._reservations = reservations
        self._clock = clock
        self._seconds = seconds

    def issue(self, reservation: Reservation, now: datetime, *, is_new: bool = False) -> PayableHold:
        """The reservation's live payment token, or a new one."""
        token, life = self._tokens.payment_token(reservation.event_id, reservation.id, self._seconds)
        return PayableHold(reservation, token, now + life, is_new)

    def issue_again(self, reservation: Reservation) -> PayableHold | None:
        """The same for a reservation that another request may be ending now; None if it has ended (RSV-013)."""
        hold = self.issue(reservation, self._clock())
        still = self._reservations.find(reservation.id, reservation.user_id)
        if still is None or not still.holds_at(self._clock()):
            self._tokens.end(reservation.event_id, None, reservation.id)  # this one may have been issued after the end
            return None
        return hold
