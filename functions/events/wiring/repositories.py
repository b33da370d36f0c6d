"""Events and their seats in Postgres."""

from functools import cache

from common.domain.clock import utc_now
from common.wiring.database import database, reader
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.seat_repository import SeatRepository


@cache
def event_repository() -> EventRepository:
    return EventRepository(database(), utc_now, reader())


@cache
def seat_repository() -> SeatRepository:
    return SeatRepository(database(), reader())
