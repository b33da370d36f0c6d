"""Consumer of reservation.events: a confirmed reservation's seats are SOLD, a cancelled one's free again (EVT-016)."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

from common.messaging.consumer import AfterCommit, Consumer, Handle
from common.messaging.messages import Envelope, Payload, ReservationCancelled, ReservationConfirmed
from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores.postgres import Connection, database
from functions.events.adapters.read_cache_redis import ReadCache, event_key, seats_key
from functions.events.adapters.seat_sale_repository import free_seats, sell_seats
from functions.events.wiring import read_cache


class SeatMoves:
    """Seats moved as reservations tell; what everybody reads of them is dropped once that has committed. Die before
    the drop and the seats show as they were for as long as that was fit to be (`freshness`)."""

    def __init__(self, cache: ReadCache) -> None:
        self._cache = cache

    def sell(self, connection: Connection, _message: Envelope, confirmed: ReservationConfirmed) -> AfterCommit:
        alone = sell_seats(connection, confirmed.event_id, confirmed.seat_ids, confirmed.reservation_id)
        if not alone:
            # A cancellation that was overtaken comes in a moment; a count that does not go with them is an alarm.
            log.warning("another reservation has a claim", extra={"reservation_id": str(confirmed.reservation_id)})
            emit({"service": "events"}, ClaimsMet=1)
        return self._dropped(confirmed.event_id)

    def free(self, connection: Connection, _message: Envelope, cancelled: ReservationCancelled) -> AfterCommit | None:
        moved = free_seats(connection, cancelled.event_id, cancelled.seat_ids, cancelled.reservation_id)
        return self._dropped(cancelled.event_id) if moved else None

    def _dropped(self, event_id: UUID) -> AfterCommit:
        return lambda: self._cache.drop(event_key(event_id), seats_key(event_id))

    @property
    def handlers(self) -> Mapping[type[Payload], Handle]:
        return {ReservationConfirmed: self.sell, ReservationCancelled: self.free}


@cache
def consumer() -> Consumer:
    return Consumer("events", database(), SeatMoves(read_cache()).handlers)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return consumer()(event)
