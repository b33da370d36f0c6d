"""Where the events service's objects are built: at their first use, once for each execution environment."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.messaging.consumer import Consumer
from common.messaging.outbox import Outbox
from common.runtime.settings import Settings
from common.wiring.database import database, reader
from common.wiring.internal_caller import internal_caller
from common.wiring.redis_client import redis_client
from functions.events.adapters.clients.payments_client import PaymentsClient
from functions.events.adapters.clients.reservations_client import ReservationsClient
from functions.events.adapters.clients.seat_ledger_client import SeatLedgerClient
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.read_cache_redis import ReadCache
from functions.events.adapters.seat_repository import SeatRepository
from functions.events.adapters.seat_sale_repository import SeatSaleRepository
from functions.events.adapters.venue_repository import VenueRepository
from functions.events.usecases.cancellation_reader import CancellationReader
from functions.events.usecases.event_admin import EventAdmin
from functions.events.usecases.event_deletion import EventDeletion
from functions.events.usecases.event_reader import EventReader
from functions.events.usecases.seat_records import SeatRecords
from functions.events.usecases.seat_sales import SeatSaleMessages, SeatSales
from functions.events.usecases.venue_admin import VenueAdmin

# A function that does not call another service has no setting with its name.


class ReservationsSettings(Settings):
    event_tally_function: str


class PaymentsSettings(Settings):
    refund_tally_function: str


class SeatLedgerSettings(Settings):
    seat_ledger_function: str
    repair_holds_function: str


@cache
def reservations_client() -> ReservationsClient:
    return ReservationsClient(internal_caller(), ReservationsSettings.from_environment().event_tally_function)


@cache
def payments_client() -> PaymentsClient:
    return PaymentsClient(internal_caller(), PaymentsSettings.from_environment().refund_tally_function)


@cache
def seat_ledger_client() -> SeatLedgerClient:
    settings = SeatLedgerSettings.from_environment()
    return SeatLedgerClient(internal_caller(), settings.seat_ledger_function, settings.repair_holds_function)


@cache
def venue_repository() -> VenueRepository:
    return VenueRepository(database())


@cache
def event_repository() -> EventRepository:
    return EventRepository(database(), utc_now, reader())


@cache
def seat_repository() -> SeatRepository:
    return SeatRepository(database(), reader())


@cache
def read_cache() -> ReadCache:
    return ReadCache(redis_client, utc_now)


@cache
def event_reader() -> EventReader:
    return EventReader(event_repository(), seat_repository(), read_cache(), utc_now)


@cache
def venue_admin() -> VenueAdmin:
    return VenueAdmin(database(), venue_repository(), read_cache(), utc_now, new_id)


@cache
def event_admin() -> EventAdmin:
    return EventAdmin(database(), event_repository(), Outbox(), read_cache(), utc_now, new_id)


@cache
def event_deletion() -> EventDeletion:
    return EventDeletion(database(), event_repository(), Outbox(), read_cache(), utc_now, reservations_client())


@cache
def cancellation_reader() -> CancellationReader:
    return CancellationReader(event_repository(), reservations_client(), payments_client())


@cache
def seat_records() -> SeatRecords:
    return SeatRecords(
        database(), event_repository(), seat_repository(), _seat_sales(), seat_ledger_client(), read_cache()
    )


@cache
def seat_sales_consumer() -> Consumer:
    return Consumer("events", database(), SeatSaleMessages(_seat_sales(), read_cache()).handlers)


def _seat_sales() -> SeatSales:
    return SeatSales(SeatSaleRepository())
