"""Drop the hold and the payment token of a reservation that ended, so that others can hold its seats."""

from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.reservation import Reservation


class DropHold:
    """Runs after the commit. If the process crashes before it, the hold and the token expire on their own."""

    def __init__(self, seat_holds: SeatHolds, tokens: QueueTokens) -> None:
        self._seat_holds = seat_holds
        self._tokens = tokens

    def drop(self, reservation: Reservation) -> None:
        self._seat_holds.release(reservation.event_id, reservation.id, reservation.seat_ids)
        self._tokens.end(reservation.event_id, None, reservation.id)
