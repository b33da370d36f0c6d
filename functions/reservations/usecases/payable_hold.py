"""A PENDING reservation with the token that allows its payment."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.domain.reservation import Reservation


@dataclass(frozen=True)
class PayableHold:
    reservation: Reservation
    payment_token: str
    payment_token_expires_at: datetime


class PaymentTokenIssuer:
    def __init__(self, tokens: QueueTokens, seconds: int) -> None:
        self._tokens = tokens
        self._seconds = seconds

    def issue(self, reservation: Reservation, now: datetime) -> PayableHold:
        """A new payment token replaces the reservation's older one."""
        token = self._tokens.issue_payment(reservation.event_id, reservation.id, self._seconds)
        return PayableHold(reservation, token, now + timedelta(seconds=self._seconds))
