"""Which seats of an event are free right now (RSV-003)."""

from collections.abc import Callable
from dataclasses import dataclass

from common.domain.clock import Clock
from common.domain.ids import EventId, SeatId
from functions.reservations.adapters.seat_holds_redis import SeatHolds


@dataclass(frozen=True)
class SeatMap:
    total: int
    held: list[SeatId]
    sold: list[SeatId]

    @property
    def available(self) -> int:
        return self.total - len(self.held) - len(self.sold)


class ReadSeatMap:
    def __init__(
        self,
        seat_holds: SeatHolds,
        sold: Callable[[EventId], list[SeatId]],
        seat_count: Callable[[EventId], int],
        clock: Clock,
    ) -> None:
        self._seat_holds = seat_holds
        self._sold = sold
        self._seat_count = seat_count
        self._clock = clock

    def read(self, event_id: EventId) -> SeatMap:
        """Raises NotFound if the event does not exist."""
        total = self._seat_count(event_id)
        # Held first: a seat that is confirmed in between is then seen as both held and sold, not as free.
        held = self._seat_holds.held(event_id, self._clock())
        sold = self._sold(event_id)
        return SeatMap(total, sorted(held - set(sold)), sold)
