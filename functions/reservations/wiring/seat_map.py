"""The seat map: Redis and the events service, without Postgres."""

from functools import cache, lru_cache

from common.domain.clock import utc_now
from common.runtime.settings import Settings
from common.wiring.internal_caller import internal_caller
from common.wiring.redis_client import redis_client
from functions.reservations.adapters.clients.events_client import EventsClient, SoldSeatsClient
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.usecases.read_seat_map import ReadSeatMap


class SeatMapSettings(Settings):
    seat_catalogue_function: str
    sold_seats_function: str


@cache
def read_seat_map() -> ReadSeatMap:
    settings = SeatMapSettings.from_environment()
    return ReadSeatMap(
        SeatHolds(redis_client()),
        sold=SoldSeatsClient(internal_caller(), settings.sold_seats_function).sold,
        # An event's seats are made with it and never change.
        seat_count=lru_cache(maxsize=64)(EventsClient(internal_caller(), settings.seat_catalogue_function).seat_count),
        clock=utc_now,
    )
