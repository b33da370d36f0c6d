"""The variables of the routes, as ids."""

from common.domain.ids import EventId, HallId, VenueId
from common.http.request import Path


class EventIdPath(Path):
    """`/events/{id}`"""

    id: EventId


class VenueIdPath(Path):
    """`/venues/{id}`"""

    id: VenueId


class HallPath(VenueIdPath):
    """`/venues/{id}/halls/{hallId}`"""

    hall_id: HallId
