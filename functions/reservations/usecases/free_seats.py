"""Make the seats of a reservation that ended available to others."""

from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.reservation import Reservation


class FreeSeats:
    """Runs after the commit: if it does not, Redis forgets the hold and the token when their time is over."""

    def __init__(self, seat_holds: SeatHolds, tokens: QueueTokens) -> None:
        self._seat_holds = seat_holds
        self._tokens = tokens

    def free(self, reservation: Reservation) -> None:
        self._seat_holds.release(reservation.event_id, reservation.id, reservation.seat_ids)
        self._tokens.end(reservation.event_id, None, reservation.id)
