"""Seats that are sold and freed: the consumer, and the comparison with the reservations service."""

from functools import cache

from common.messaging.consumer import Consumer
from common.runtime.settings import Settings
from common.wiring.database import database
from common.wiring.internal_caller import internal_caller
from functions.events.adapters.clients.live_seats_client import LiveSeatsClient
from functions.events.adapters.seat_sale_repository import SeatSaleRepository
from functions.events.usecases.seat_records import SeatRecords
from functions.events.usecases.seat_sales import SeatSaleMessages, SeatSales
from functions.events.wiring.reading import read_cache
from functions.events.wiring.repositories import event_repository, seat_repository


class LiveSeatsSettings(Settings):
    live_seats_function: str
    repair_holds_function: str


@cache
def live_seats_client() -> LiveSeatsClient:
    settings = LiveSeatsSettings.from_environment()
    return LiveSeatsClient(internal_caller(), settings.live_seats_function, settings.repair_holds_function)


@cache
def seat_records() -> SeatRecords:
    return SeatRecords(
        database(), event_repository(), seat_repository(), _seat_sales(), live_seats_client(), read_cache()
    )


@cache
def seat_sales_consumer() -> Consumer:
    return Consumer("events", database(), SeatSaleMessages(_seat_sales(), read_cache()).handlers)


def _seat_sales() -> SeatSales:
    return SeatSales(SeatSaleRepository())
