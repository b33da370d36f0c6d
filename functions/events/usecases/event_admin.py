"""What admins do to the programme, and what must be forgotten of what everybody reads when they have done it."""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from common.contracts.event_tally import EventTallyAnswer
from common.contracts.refund_tally import RefundTallyAnswer
from common.domain.clock import NewId
from common.domain.model import Model, Moment
from functions.events.adapters.event_repository import EventStore
from functions.events.adapters.read_cache_redis import LIST_KEY, ReadCache, event_key, seats_key
from functions.events.adapters.venue_repository import VenueStore
from functions.events.domain.entity_tag import Expected
from functions.events.domain.errors import EventHasReservations
from functions.events.domain.event_edit import EventEdit
from functions.events.domain.event_proposal import EventProposal
from functions.events.domain.seat_template import SeatTemplate
from functions.events.handlers.responses.event_response import EventAnswer
from functions.events.handlers.responses.venue_response import HallAnswer, VenueDetailAnswer


class Buyers(Protocol):
    """What the services know that have the buyers and their money."""

    def tally(self, event_id: UUID) -> EventTallyAnswer: ...
    def refunds(self, event_id: UUID) -> RefundTallyAnswer: ...


class CancellationAnswer(Model):
    """How far a cancelled event's refunds have come. Amounts in won."""

    event_id: UUID
    reason: str
    cancelled_at: Moment
    reservations_to_cancel: int
    reservations_cancelled: int
    refunds_due: int
    refunds_done: int
    amount_due: int
    amount_refunded: int
    done: bool


class Programme:
    """Each change is dropped from the cache after it has committed. Die in between, and the old is shown for as long as
    it was fit to be (`freshness`)."""

    def __init__(self, venues: VenueStore, events: EventStore, cache: ReadCache, buyers: Buyers, new_id: NewId) -> None:
        self._venues = venues
        self._events = events
        self._cache = cache
        self._buyers = buyers
        self._new_id = new_id

    def edit_venue(self, venue_id: UUID, changes: dict[str, Any], expected: Expected) -> VenueDetailAnswer:
        venue = self._venues.edit(venue_id, changes, expected)
        self._drop_events_at(venue_id)
        return venue

    def edit_hall(
        self, venue_id: UUID, hall_id: UUID, name: str | None, template: SeatTemplate | None, expected: Expected
    ) -> HallAnswer:
        hall = self._venues.edit_hall(venue_id, hall_id, name, template, expected)
        self._drop_events_at(venue_id)
        return hall

    def create(self, proposal: EventProposal) -> EventAnswer:
        event = self._events.create(self._new_id(), proposal)
        self._cache.drop(LIST_KEY)
        return event

    def edit(self, event_id: UUID, edit: EventEdit, expected: Expected) -> EventAnswer:
        event = self._events.edit(event_id, edit, expected)
        self._drop(event_id)
        return event

    def reschedule(
        self, event_id: UUID, times: EventEdit, reason: str, admin_id: UUID, expected: Expected
    ) -> EventAnswer:
        event = self._events.reschedule(event_id, times, reason, admin_id, expected)
        self._drop(event_id)
        return event

    def cancel(self, event_id: UUID, reason: str, admin_id: UUID, expected: Expected) -> EventAnswer:
        event = self._events.cancel(event_id, reason, admin_id, expected)
        self._drop(event_id)
        return event

    def delete(self, event_id: UUID, admin_id: UUID, expected: Expected) -> None:
        """Raises EventHasReservations while one is live, SERVICE_UNAVAILABLE while nobody can tell."""
        self._events.event(event_id, recent=True)  # there must be one to ask about
        tally = self._buyers.tally(event_id)
        if tally.pending or tally.confirmed:
            raise EventHasReservations(pending=tally.pending, confirmed=tally.confirmed)
        self._events.delete(event_id, admin_id, expected)
        self._drop(event_id)

    def cancellation(self, event_id: UUID) -> CancellationAnswer:
        """Raises NOT_FOUND for an event that was not cancelled."""
        cancelled_at, reason = self._events.cancellation(event_id)
        return progress(event_id, cancelled_at, reason, self._buyers.tally(event_id), self._buyers.refunds(event_id))

    def _drop(self, event_id: UUID) -> None:
        self._cache.drop(event_key(event_id), seats_key(event_id), LIST_KEY)

    def _drop_events_at(self, venue_id: UUID) -> None:
        self._cache.drop(LIST_KEY, *map(event_key, self._venues.events_at(venue_id)))


def progress(
    event_id: UUID, cancelled_at: datetime, reason: str, tally: EventTallyAnswer, refunds: RefundTallyAnswer
) -> CancellationAnswer:
    """Done when no reservation is live, reservations has seen the cancellation through, and no won is owed: money is
    owed by what reservations cancelled, whether payments has heard of it yet or not."""
    live = tally.pending + tally.confirmed
    amount_due = max(0, tally.refund_amount - refunds.amount_done)
    return CancellationAnswer(
        event_id=event_id,
        reason=reason,
        cancelled_at=cancelled_at,
        reservations_to_cancel=live,
        reservations_cancelled=tally.event_cancelled,
        refunds_due=refunds.due,
        refunds_done=refunds.done,
        amount_due=amount_due,
        amount_refunded=refunds.amount_done,
        done=tally.seen_through and live == 0 and amount_due == 0 and refunds.due == 0,
    )
