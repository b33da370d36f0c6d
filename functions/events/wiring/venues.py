"""Venues and halls."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.wiring.database import database
from functions.events.adapters.venue_repository import VenueRepository
from functions.events.usecases.venue_admin import VenueAdmin
from functions.events.wiring.reading import read_cache


@cache
def venue_repository() -> VenueRepository:
    return VenueRepository(database())


@cache
def venue_admin() -> VenueAdmin:
    return VenueAdmin(database(), venue_repository(), read_cache(), utc_now, new_id)
