"""Consumer of reservation.events: a confirmed reservation's seats are SOLD, a cancelled one's free again (EVT-016)."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from common.consumer import Consumer, Handle
from common.messages import Envelope, Payload, ReservationCancelled, ReservationConfirmed
from common.metrics import emit
from common.postgres import Connection, database
from common.problem import Refusal
from functions.events.problems import SEAT_SOLD_TO_ANOTHER
from functions.events.seat_sale_store import free_seats, sell_seats


def sell(connection: Connection, _message: Envelope, confirmed: ReservationConfirmed) -> None:
    try:
        sell_seats(connection, confirmed.event_id, confirmed.seat_ids, confirmed.reservation_id)
    except Refusal as refusal:
        if refusal.problem is SEAT_SOLD_TO_ANOTHER:
            # One seat promised to two reservations: someone must look, whatever becomes of the dead letter.
            emit({"service": "events"}, OversoldSeats=1)
        raise


def free(connection: Connection, _message: Envelope, cancelled: ReservationCancelled) -> None:
    free_seats(connection, cancelled.event_id, cancelled.seat_ids, cancelled.reservation_id)


HANDLERS: Mapping[type[Payload], Handle] = {ReservationConfirmed: sell, ReservationCancelled: free}


@cache
def consumer() -> Consumer:
    return Consumer("events", database(), HANDLERS)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return consumer()(event)
