"""What admins do with venues and halls (EVT-010 to EVT-015)."""

from dataclasses import replace
from typing import Any

from common.domain.clock import Clock, NewId
from common.domain.ids import HallId, VenueId
from common.stores.postgres import Database
from functions.events.adapters.read_cache_redis import LIST_KEY, ReadCache, event_key
from functions.events.adapters.venue_repository import VenueRepository
from functions.events.domain.entity_tag import ExpectedVersions
from functions.events.domain.errors import HallInUse, VenueInUse
from functions.events.domain.seat_template import SeatTemplate
from functions.events.domain.venue import Hall, ListedVenue, VenueWithHalls


class VenueAdmin:
    """Cached responses are dropped after the commit, as in `EventAdmin`."""

    def __init__(
        self, database: Database, venues: VenueRepository, cache: ReadCache, clock: Clock, new_id: NewId
    ) -> None:
        self._database = database
        self._venues = venues
        self._cache = cache
        self._clock = clock
        self._new_id = new_id

    def create_venue(self, name: str, address: str, city: str) -> ListedVenue:
        venue = ListedVenue(id=VenueId(self._new_id()), name=name, address=address, city=city, halls=[])
        with self._database.transaction() as connection:
            self._venues.insert(connection, venue)
        return venue

    def edit_venue(self, venue_id: VenueId, changes: dict[str, Any], expected: ExpectedVersions) -> VenueWithHalls:
        """The venue with `changes` of its name, address and city. Raises NotFound and PreconditionFailed."""
        with self._database.transaction() as connection:
            before = self._venues.lock(connection, venue_id)
            expected.check(before.version)
            after = replace(before, **changes)
            if after != before:
                self._venues.update(connection, after)
            venue = self._venues.read(connection, venue_id)
        self._drop_events_at(venue_id)
        return venue

    def delete_venue(self, venue_id: VenueId, expected: ExpectedVersions) -> None:
        """The venue and its halls. Raises NotFound, PreconditionFailed and VenueInUse."""
        with self._database.transaction() as connection:
            expected.check(self._venues.lock(connection, venue_id).version)
            if self._venues.is_in_use(connection, self._clock(), venue_id):
                raise VenueInUse()
            self._venues.mark_deleted(connection, venue_id)

    def create_hall(self, venue_id: VenueId, name: str, template: SeatTemplate) -> Hall:
        """Raises NotFound if the venue does not exist."""
        hall = Hall(
            id=HallId(self._new_id()),
            venue_id=venue_id,
            name=name,
            capacity=template.capacity,
            seat_template=template,
        )
        with self._database.transaction() as connection:
            self._venues.insert_hall(connection, hall)
        return hall

    def edit_hall(
        self,
        venue_id: VenueId,
        hall_id: HallId,
        name: str | None,
        template: SeatTemplate | None,
        expected: ExpectedVersions,
    ) -> Hall:
        """Raises NotFound, PreconditionFailed, and HallInUse for another template while the hall is in use: its
        events' seats are made from this one."""
        with self._database.transaction() as connection:
            before = self._venues.lock_hall(connection, venue_id, hall_id)
            expected.check(before.version)
            hall = before.edited(name, template)
            if hall.seat_template != before.seat_template and self._venues.is_in_use(
                connection, self._clock(), venue_id, hall_id
            ):
                raise HallInUse()
            if hall != before:
                self._venues.update_hall(connection, hall)
                hall = replace(hall, version=before.version + 1)
        self._drop_events_at(venue_id)
        return hall

    def delete_hall(self, venue_id: VenueId, hall_id: HallId, expected: ExpectedVersions) -> None:
        """Raises NotFound, PreconditionFailed and HallInUse."""
        with self._database.transaction() as connection:
            expected.check(self._venues.lock_hall(connection, venue_id, hall_id).version)
            if self._venues.is_in_use(connection, self._clock(), venue_id, hall_id):
                raise HallInUse()
            self._venues.mark_hall_deleted(connection, hall_id)

    def _drop_events_at(self, venue_id: VenueId) -> None:
        self._cache.drop(LIST_KEY, *map(event_key, self._venues.event_ids(venue_id)))
