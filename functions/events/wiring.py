"""The events service put together: built on the first request, kept for the warm container."""

from functools import cache
from uuid import UUID

from common.contracts.event_tally import EventTallyAnswer, EventTallyAsked
from common.contracts.internal_call import call
from common.contracts.refund_tally import RefundTallyAnswer, RefundTallyAsked
from common.contracts.seat_ledger import MendHoldsAnswer, MendHoldsAsked, SeatLedgerAnswer, SeatLedgerAsked
from common.domain.clock import new_id, utc_now
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.postgres import database, reader
from functions.events.adapters.event_repository import EventStore
from functions.events.adapters.read_cache_redis import ReadCache
from functions.events.adapters.seat_repository import SeatStore
from functions.events.adapters.venue_repository import VenueStore
from functions.events.usecases.event_admin import Programme
from functions.events.usecases.event_reader import EventReads
from functions.events.usecases.seat_records import SeatStores


class TallySettings(Settings):
    event_tally_function: str


class RefundTallySettings(Settings):
    refund_tally_function: str


class LedgerSettings(Settings):
    seat_ledger_function: str
    mend_holds_function: str


class OtherServices:
    """Reservations and payments, asked by direct invocation; only a function that asks needs to know their names."""

    def tally(self, event_id: UUID) -> EventTallyAnswer:
        function = TallySettings.from_environment().event_tally_function
        return call(function, EventTallyAsked(event_id=event_id), EventTallyAnswer, read=True)

    def refunds(self, event_id: UUID) -> RefundTallyAnswer:
        function = RefundTallySettings.from_environment().refund_tally_function
        return call(function, RefundTallyAsked(event_id=event_id), RefundTallyAnswer, read=True)

    def ledger(self, event_id: UUID, after: UUID | None) -> SeatLedgerAnswer:
        function = LedgerSettings.from_environment().seat_ledger_function
        return call(function, SeatLedgerAsked(event_id=event_id, after=after), SeatLedgerAnswer, read=True)

    def mend(self, asked: MendHoldsAsked) -> MendHoldsAnswer:
        function = LedgerSettings.from_environment().mend_holds_function
        return call(function, asked, MendHoldsAnswer, read=False)


others = OtherServices()


@cache
def venues() -> VenueStore:
    return VenueStore(database(), utc_now)


@cache
def events() -> EventStore:
    return EventStore(database(), utc_now, reader())


@cache
def seats() -> SeatStore:
    return SeatStore(database(), reader())


@cache
def read_cache() -> ReadCache:
    return ReadCache(redis.client, utc_now)


@cache
def reads() -> EventReads:
    return EventReads(events(), seats(), read_cache(), utc_now)


@cache
def programme() -> Programme:
    return Programme(venues(), events(), read_cache(), others, new_id)


@cache
def seat_stores() -> SeatStores:
    return SeatStores(database(), events(), seats(), others, read_cache())
