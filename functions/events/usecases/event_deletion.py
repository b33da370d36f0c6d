"""Deletes an event that has no reservations (EVT-003)."""

from typing import Protocol

from common.contracts.reservation_counts import ReservationCountsResponse
from common.domain.clock import Clock
from common.domain.ids import EventId, UserId
from common.messaging.messages import EventCancelled
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.read_cache_redis import LIST_KEY, ReadCache, event_key, seats_key
from functions.events.domain.entity_tag import ExpectedVersions
from functions.events.domain.errors import EventHasReservations


class Reservations(Protocol):
    """`ReservationsClient`, or a fake in tests."""

    def counts(self, event_id: EventId) -> ReservationCountsResponse: ...


class EventDeletion:
    """Cached responses are dropped after the commit, as in `EventAdmin`."""

    def __init__(
        self,
        database: Database,
        events: EventRepository,
        outbox: Outbox,
        cache: ReadCache,
        clock: Clock,
        reservations: Reservations,
    ) -> None:
        self._database = database
        self._events = events
        self._outbox = outbox
        self._cache = cache
        self._clock = clock
        self._reservations = reservations

    def delete(self, event_id: EventId, admin_id: UserId, expected: ExpectedVersions) -> None:
        """Raises NotFound, PreconditionFailed, EventHasReservations while a reservation is live, and
        ServiceUnavailable while reservations does not answer.

        A reservation that is made during the deletion receives it as a cancellation: its buyer is refunded in full.
        """
        self._events.event(event_id, recent=True)  # raises NotFound
        counts = self._reservations.counts(event_id)
        if counts.pending or counts.confirmed:
            raise EventHasReservations(pending=counts.pending, confirmed=counts.confirmed)
        with self._database.transaction() as connection:
            expected.check(self._events.lock(connection, event_id).version)
            self._events.mark_deleted(connection, event_id, self._clock())
            self._outbox.write(connection, EventCancelled(event_id=event_id, reason="deleted"), user_id=admin_id)
        self._cache.drop(event_key(event_id), seats_key(event_id), LIST_KEY)
