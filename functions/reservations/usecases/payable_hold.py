"""A PENDING reservation with the token that allows its payment."""

from dataclasses import dataclass
from datetime import datetime

from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.domain.reservation import Reservation


@dataclass(frozen=True)
class PayableHold:
    reservation: Reservation
    payment_token: str
    payment_token_expires_at: datetime
    is_new: bool = False  # made by this request


class PaymentTokenIssuer:
    def __init__(self, tokens: QueueTokens, seconds: int) -> None:
        self._tokens = tokens
        self._seconds = seconds

    def issue(self, reservation: Reservation, now: datetime, *, is_new: bool = False) -> PayableHold:
        """The reservation's live payment token, or a new one."""
        token, life = self._tokens.payment_token(reservation.event_id, reservation.id, self._seconds)
        return PayableHold(reservation, token, now + life, is_new)
