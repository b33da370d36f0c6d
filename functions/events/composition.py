"""The events service put together: built on the first request, kept for the warm container."""

from functools import cache

from common.clock import utc_now
from common.postgres import database
from functions.events.event_store import EventStore
from functions.events.seat_store import SeatStore
from functions.events.venue_store import VenueStore


@cache
def venues() -> VenueStore:
    return VenueStore(database())


@cache
def events() -> EventStore:
    return EventStore(database(), utc_now)


@cache
def seats() -> SeatStore:
    return SeatStore(database())
