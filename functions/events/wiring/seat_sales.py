"""Seats that are sold and freed: the consumer, and the comparison with the reservations service."""

from functools import cache

from common.messaging.consumer import Consumer
from common.runtime.settings import Settings
from common.wiring.database import database
from common.wiring.internal_caller import internal_caller
from functions.events.adapters.clients.seat_ledger_client import SeatLedgerClient
from functions.events.adapters.seat_sale_repository import SeatSaleRepository
from functions.events.usecases.seat_records import SeatRecords
from functions.events.usecases.seat_sales import SeatSaleMessages, SeatSales
from functions.events.wiring.reading import read_cache
from functions.events.wiring.repositories import event_repository, seat_repository


class SeatLedgerSettings(Settings):
    seat_ledger_function: str
    repair_holds_function: str


@cache
def seat_ledger_client() -> SeatLedgerClient:
    settings = SeatLedgerSettings.from_environment()
    return SeatLedgerClient(internal_caller(), settings.seat_ledger_function, settings.repair_holds_function)


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
