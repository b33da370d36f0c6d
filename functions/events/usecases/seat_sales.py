"""Seats follow the reservations: sold when one is confirmed, free again when it is cancelled (EVT-016)."""

from collections.abc import Collection, Mapping

from common.domain.ids import EventId, ReservationId, SeatId
from common.messaging.consumer import AfterCommit, Handle
from common.messaging.messages import Envelope, Payload, ReservationCancelled, ReservationConfirmed
from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores.postgres import Connection
from functions.events.adapters.read_cache_redis import ReadCache, event_key, seats_key
from functions.events.adapters.seat_sale_repository import SeatSaleRepository
from functions.events.domain.seat_sale import seats_to_free, seats_to_sell


class SeatSales:
    """Sells and frees seats in the caller's transaction. Raises `SeatMoved` if another writer changed a seat."""

    def __init__(self, seats: SeatSaleRepository) -> None:
        self._seats = seats

    def sell(
        self, connection: Connection, event_id: EventId, seat_ids: Collection[SeatId], reservation_id: ReservationId
    ) -> bool:
        """Sells the seats to the reservation; again it changes nothing. Raises as `seats_to_sell`.

        False if a seat is still sold to another reservation: its cancellation follows, or the seat is sold twice.
        """
        seats = seats_to_sell(self._seats.read(connection, event_id, seat_ids), seat_ids, reservation_id)
        self._seats.add_sale(connection, event_id, seats, reservation_id)
        return not any(seat.sales for seat in seats)

    def free(
        self, connection: Connection, event_id: EventId, seat_ids: Collection[SeatId], reservation_id: ReservationId
    ) -> int:
        """Frees the seats that were sold to the reservation; returns how many."""
        seats = seats_to_free(self._seats.read(connection, event_id, seat_ids), reservation_id)
        self._seats.remove_sale(connection, event_id, seats, reservation_id)
        return len(seats)


class SeatSaleMessages:
    """Applies the reservations' messages, and drops the event's cached responses after the commit. If the process
    crashes before the drop, the old responses are shown until they are no longer usable (`freshness`)."""

    def __init__(self, sales: SeatSales, cache: ReadCache) -> None:
        self._sales = sales
        self._cache = cache

    def confirmed(self, connection: Connection, _message: Envelope, payload: ReservationConfirmed) -> AfterCommit:
        alone = self._sales.sell(connection, payload.event_id, payload.seat_ids, payload.reservation_id)
        if not alone:
            # Its cancellation usually follows; if not, an operator settles it (alarm ClaimsMet).
            log.warning("seat still sold to another reservation", extra={"reservation_id": str(payload.reservation_id)})
            emit({"service": "events"}, ClaimsMet=1)
        return self._dropped(payload.event_id)

    def cancelled(
        self, connection: Connection, _message: Envelope, payload: ReservationCancelled
    ) -> AfterCommit | None:
        freed = self._sales.free(connection, payload.event_id, payload.seat_ids, payload.reservation_id)
        return self._dropped(payload.event_id) if freed else None

    def _dropped(self, event_id: EventId) -> AfterCommit:
        return lambda: self._cache.drop(event_key(event_id), seats_key(event_id))

    @property
    def handlers(self) -> Mapping[type[Payload], Handle]:
        return {ReservationConfirmed: self.confirmed, ReservationCancelled: self.cancelled}
