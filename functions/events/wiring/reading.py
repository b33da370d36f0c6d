"""Reading events and seats, through the cache."""

from functools import cache

from common.domain.clock import utc_now
from common.wiring.redis_client import redis_client
from functions.events.adapters.read_cache_redis import ReadCache
from functions.events.usecases.event_reader import EventReader
from functions.events.wiring.repositories import event_repository, seat_repository


@cache
def read_cache() -> ReadCache:
    return ReadCache(redis_client, utc_now)


@cache
def event_reader() -> EventReader:
    return EventReader(event_repository(), seat_repository(), read_cache(), utc_now)
