"""The three records of an event's seats: the events service's own, the reservations, and Redis's holds."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from common.contracts.live_seats import HeldSeat, LiveSeatsResponse, RepairHoldsRequest, RepairHoldsResponse
from common.domain.ids import EventId, ReservationId
from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.read_cache_redis import ReadCache, event_key, seats_key
from functions.events.adapters.seat_repository import SeatRepository
from functions.events.domain.seat_disagreements import Disagreements, SeatReservation, SeatSnapshot
from functions.events.usecases.seat_sales import SeatSales

ItemT = TypeVar("ItemT")

HOLDS_PER_CALL = 1000  # as many as `RepairHoldsRequest` takes


class Reservations(Protocol):
    """The reservations service: `LiveSeatsClient`, or a fake in tests."""

    def live_seats(self, event_id: EventId, after: ReservationId | None) -> LiveSeatsResponse: ...
    def repair_holds(self, request: RepairHoldsRequest) -> RepairHoldsResponse: ...


class SeatRecords:
    def __init__(
        self,
        database: Database,
        events: EventRepository,
        seats: SeatRepository,
        sales: SeatSales,
        reservations: Reservations,
        cache: ReadCache,
    ) -> None:
        self._database = database
        self._events = events
        self._seats = seats
        self._sales = sales
        self._reservations = reservations
        self._cache = cache

    def on_sale(self) -> Sequence[EventId]:
        return self._events.on_sale()

    def snapshot(self, event_id: EventId) -> SeatSnapshot:
        # Sales first: a seat that is SOLD before we read its reservation was sold correctly.
        sales = self._seats.sales(event_id)
        pages = [self._reservations.live_seats(event_id, None)]
        while (after := pages[-1].more_after) is not None:
            pages.append(self._reservations.live_seats(event_id, ReservationId(after)))
        by_status: dict[str, set[SeatReservation]] = {"CONFIRMED": set(), "PENDING": set()}
        for page in pages:
            for seat in page.seats:
                by_status[seat.status].add((seat.seat_id, seat.reservation_id))
        return SeatSnapshot(
            sales=sales,
            confirmed=frozenset(by_status["CONFIRMED"]),
            pending=frozenset(by_status["PENDING"]),
            holds=frozenset((held.seat_id, held.reservation_id) for held in pages[0].holds),
        )

    def repair(self, event_id: EventId, found: Disagreements) -> None:
        """Does what a lost message would have done, and takes the holds that Redis lost. If the process crashes here,
        the next run finds the rest.

        A seat sold twice is left to an operator: no store knows which reservation should keep it.
        """
        for seat_id, reservation_id in found.missing_sales:
            with self._database.transaction() as connection:
                self._sales.sell(connection, event_id, [seat_id], reservation_id)
        for seat_id, reservation_id in found.stale_claims:
            with self._database.transaction() as connection:
                self._sales.free(connection, event_id, [seat_id], reservation_id)
        if found.missing_sales or found.stale_claims:
            self._cache.drop(event_key(event_id), seats_key(event_id))
        orphans = [HeldSeat(seat_id=seat, reservation_id=holder) for seat, holder in found.orphan_holds]
        forgotten = sorted({reservation for _, reservation in found.forgotten_holds})
        for release in _batches(orphans):
            self._reservations.repair_holds(RepairHoldsRequest(event_id=event_id, release=release, forgotten=[]))
        # After the release: an orphan may hold a seat of a forgotten hold.
        for again in _batches(forgotten):
            self._reservations.repair_holds(RepairHoldsRequest(event_id=event_id, release=[], forgotten=[*again]))


def _batches(items: Sequence[ItemT]) -> Iterator[list[ItemT]]:
    return (list(items[at : at + HOLDS_PER_CALL]) for at in range(0, len(items), HOLDS_PER_CALL))
