"""Consumer of reservation.events: a confirmed reservation's seats are SOLD, a cancelled one's free again (EVT-016)."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from common.consumer import Consumer, Handle
from common.log import log
from common.messages import Envelope, Payload, ReservationCancelled, ReservationConfirmed
from common.metrics import emit
from common.postgres import Connection, database
from functions.events.seat_sale_store import free_seats, sell_seats


def sell(connection: Connection, _message: Envelope, confirmed: ReservationConfirmed) -> None:
    alone = sell_seats(connection, confirmed.event_id, confirmed.seat_ids, confirmed.reservation_id)
    if not alone:
        # A cancellation that was overtaken comes in a moment; a count that does not go with cancellations is an alarm.
        log.warning("another reservation has a claim", extra={"reservation_id": str(confirmed.reservation_id)})
        emit({"service": "events"}, ClaimsMet=1)


def free(connection: Connection, _message: Envelope, cancelled: ReservationCancelled) -> None:
    free_seats(connection, cancelled.event_id, cancelled.seat_ids, cancelled.reservation_id)


HANDLERS: Mapping[type[Payload], Handle] = {ReservationConfirmed: sell, ReservationCancelled: free}


@cache
def consumer() -> Consumer:
    return Consumer("events", database(), HANDLERS)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return consumer()(event)
