"""The three stores that seats are in, for reconciliation: events' own, and reservations' and Redis's by asking."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from common.contracts.seat_ledger import HeldSeat, MendHoldsAnswer, MendHoldsAsked, SeatLedgerAnswer
from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventStore
from functions.events.adapters.read_cache_redis import ReadCache, event_key, seats_key
from functions.events.adapters.seat_repository import SeatStore
from functions.events.adapters.seat_sale_repository import free_seats, sell_seats
from functions.events.domain.seat_disagreements import Disagreements, Pair, Picture

ItemT = TypeVar("ItemT")

AT_ONCE = 1000  # holds mended in one call


class Ledger(Protocol):
    """The reservations service."""

    def ledger(self, event_id: UUID, after: UUID | None) -> SeatLedgerAnswer: ...
    def mend(self, asked: MendHoldsAsked) -> MendHoldsAnswer: ...


class SeatStores:
    def __init__(
        self, database: Database, events: EventStore, seats: SeatStore, ledger: Ledger, cache: ReadCache
    ) -> None:
        self._database = database
        self._events = events
        self._seats = seats
        self._ledger = ledger
        self._cache = cache

    def selling(self) -> Sequence[UUID]:
        return self._events.selling()

    def picture(self, event_id: UUID) -> Picture:
        # Claims first: a claim that is there before we ask for its reservation was rightly made.
        claims = self._seats.claims(event_id)
        pages = [self._ledger.ledger(event_id, None)]
        while pages[-1].more_after is not None:
            pages.append(self._ledger.ledger(event_id, pages[-1].more_after))
        pairs: dict[str, set[Pair]] = {"CONFIRMED": set(), "PENDING": set()}
        for page in pages:
            for seat in page.seats:
                pairs[seat.status].add((seat.seat_id, seat.reservation_id))
        return Picture(
            claims=claims,
            confirmed=frozenset(pairs["CONFIRMED"]),
            pending=frozenset(pairs["PENDING"]),
            holds=frozenset((held.seat_id, held.reservation_id) for held in pages[0].holds),
        )

    def mend(self, event_id: UUID, found: Disagreements) -> None:
        """What a lost message would have done, and what Redis forgot. Die anywhere and the next round finds the rest.

        A seat sold twice is left to a person: whose it is, no store can tell.
        """
        for seat_id, reservation_id in found.missing_sales:
            with self._database.transaction() as connection:
                sell_seats(connection, event_id, [seat_id], reservation_id)
        for seat_id, reservation_id in found.stale_claims:
            with self._database.transaction() as connection:
                free_seats(connection, event_id, [seat_id], reservation_id)
        if found.missing_sales or found.stale_claims:
            self._cache.drop(event_key(event_id), seats_key(event_id))
        orphans = [HeldSeat(seat_id=seat, reservation_id=holder) for seat, holder in found.orphan_holds]
        forgotten = sorted({reservation for _, reservation in found.forgotten_holds})
        for some_orphans in _at_once(orphans):
            self._ledger.mend(MendHoldsAsked(event_id=event_id, release=some_orphans, forgotten=[]))
        # After the release: an orphan may lie where a forgotten hold belongs.
        for some_forgotten in _at_once(forgotten):
            self._ledger.mend(MendHoldsAsked(event_id=event_id, release=[], forgotten=some_forgotten))


def _at_once(items: Sequence[ItemT]) -> Iterable[list[ItemT]]:
    return (list(items[at : at + AT_ONCE]) for at in range(0, len(items), AT_ONCE))
