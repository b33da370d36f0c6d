"""What admins do with events (EVT-001, EVT-002, EVT-028, EVT-029)."""

from common.domain.clock import Clock, NewId
from common.domain.ids import EventId, UserId
from common.messaging.messages import EventCancelled, EventRescheduled
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.read_cache_redis import LIST_KEY, ReadCache, event_key, seats_key
from functions.events.domain.entity_tag import ExpectedVersions
from functions.events.domain.event import Event
from functions.events.domain.event_edit import EventEdit, changed_fields, check_in_time, is_other_hall
from functions.events.domain.event_proposal import EventProposal


class EventAdmin:
    """Cached responses are dropped after the commit. If the process crashes in between, the old ones are shown until
    they are no longer usable (`freshness`)."""

    def __init__(
        self,
        database: Database,
        events: EventRepository,
        outbox: Outbox,
        cache: ReadCache,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._events = events
        self._outbox = outbox
        self._cache = cache
        self._clock = clock
        self._new_id = new_id

    def create(self, proposal: EventProposal) -> Event:
        """The event and every seat of its hall, or nothing.

        Raises NotFound unless the hall exists and is the venue's; InvalidInput as `EventProposal.check`.
        """
        event_id = EventId(self._new_id())
        with self._database.transaction() as connection:
            template = self._events.lock_hall(connection, proposal.venue_id, proposal.hall_id)
            proposal.check(template)
            self._events.insert(connection, event_id, proposal, template)
            event = self._events.read(connection, event_id)
        self._cache.drop(LIST_KEY)
        return event

    def edit(self, event_id: EventId, edit: EventEdit, expected: ExpectedVersions) -> Event:
        """The event with the changes; another hall replaces its seats, other prices reprice them.

        Raises NotFound, PreconditionFailed, EventIsCancelled, SaleStarted, and InvalidInput as `EventProposal.check`.
        """
        with self._database.transaction() as connection:
            stored = self._events.lock(connection, event_id)
            expected.check(stored.version)
            stored.check_not_cancelled()
            before, after = stored.proposal, edit.applied_to(stored.proposal)
            changed = changed_fields(before, after)
            check_in_time(changed, before.sale_starts_at, self._clock())
            other_hall, other_prices = is_other_hall(changed), "prices" in changed
            template = (
                self._events.lock_hall(connection, after.venue_id, after.hall_id)
                if other_hall
                else stored.seat_template
            )
            after.check(template)
            if changed:
                new_layout = other_hall or other_prices
                self._events.update(connection, event_id, after, template, new_layout=new_layout)
            if other_hall:
                self._events.replace_seats(connection, event_id)
            elif other_prices:
                self._events.reprice_seats(connection, event_id)
            # Checked again at the end: seats must not change while a buyer chooses some, however long this took.
            check_in_time(changed, before.sale_starts_at, self._clock())
            event = self._events.read(connection, event_id)
        self._drop(event_id)
        return event

    def reschedule(
        self, event_id: EventId, times: EventEdit, reason: str, admin_id: UserId, expected: ExpectedVersions
    ) -> Event:
        """Moves a show whose tickets are on sale, and publishes it: earlier buyers may cancel without a fee.

        Raises NotFound, PreconditionFailed, EventIsCancelled, EventEnded, SaleNotStarted and InvalidInput.
        """
        with self._database.transaction() as connection:
            stored = self._events.lock(connection, event_id)
            expected.check(stored.version)
            stored.check_not_over(self._clock())
            after = stored.rescheduled(times, self._clock())
            if changed_fields(stored.proposal, after):
                self._events.update(connection, event_id, after, stored.seat_template, new_layout=False)
                moved = EventRescheduled(
                    event_id=event_id, starts_at=after.starts_at, ends_at=after.ends_at, reason=reason
                )
                self._outbox.write(connection, moved, user_id=admin_id)
            event = self._events.read(connection, event_id)
        self._drop(event_id)
        return event

    def cancel(self, event_id: EventId, reason: str, admin_id: UserId, expected: ExpectedVersions) -> Event:
        """Cancels the event and publishes it in one transaction: reservations refunds every buyer in full.

        Cancelling again changes and publishes nothing. Raises NotFound, PreconditionFailed and EventEnded.
        """
        with self._database.transaction() as connection:
            stored = self._events.lock(connection, event_id)
            if not stored.cancelled:
                expected.check(stored.version)
                stored.check_not_over(self._clock())
                self._events.mark_cancelled(connection, event_id, self._clock(), reason)
                self._outbox.write(connection, EventCancelled(event_id=event_id, reason=reason), user_id=admin_id)
            event = self._events.read(connection, event_id)
        self._drop(event_id)
        return event

    def _drop(self, event_id: EventId) -> None:
        self._cache.drop(event_key(event_id), seats_key(event_id), LIST_KEY)
