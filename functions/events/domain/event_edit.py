"""What an admin may change of an event, and until when (EVT-002, EVT-028, EVT-029)."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from common.domain.ids import HallId, VenueId
from common.domain.limits import MaxSeatsPer
from common.domain.model import Model
from common.domain.shared_errors import InvalidInput
from functions.events.domain.errors import EventEnded, EventIsCancelled, SaleNotStarted, SaleStarted
from functions.events.domain.event_proposal import (
    AdmissionPerSecond,
    EventProposal,
    MaxSeats,
    Prices,
    QueueCapacity,
)
from functions.events.domain.input_bounds import Date, Label, Prose
from functions.events.domain.seat_template import SeatTemplate

# Once tickets are sold, the rest stays as it was bought. Times move by a reschedule, which lets buyers cancel.
AFTER_SALE_START = frozenset({"title", "description", "sale_ends_at", "admission_per_second", "queue_capacity"})


class EventEdit(Model):
    """Any of a proposal's fields. A field that is left out stays as it is; none can be null."""

    title: Annotated[Label, Field(default=None)]
    artist: Annotated[Label, Field(default=None)]
    description: Annotated[Prose, Field(default=None)]
    venue_id: Annotated[VenueId, Field(default=None)]
    hall_id: Annotated[HallId, Field(default=None)]
    starts_at: Annotated[Date, Field(default=None)]
    ends_at: Annotated[Date, Field(default=None)]
    sale_starts_at: Annotated[Date, Field(default=None)]
    sale_ends_at: Annotated[Date, Field(default=None)]
    prices: Annotated[Prices, Field(default=None)]
    admission_per_second: Annotated[AdmissionPerSecond, Field(default=None)]
    queue_capacity: Annotated[QueueCapacity, Field(default=None)]
    max_seats: Annotated[MaxSeats, Field(default=None)]
    max_seats_per: Annotated[MaxSeatsPer, Field(default=None)]

    def applied_to(self, proposal: EventProposal) -> EventProposal:
        return proposal.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


def changed_fields(before: EventProposal, after: EventProposal) -> Set[str]:
    return {name for name in EventProposal.model_fields if getattr(before, name) != getattr(after, name)}


def is_other_hall(changed: Set[str]) -> bool:
    """Whether an edit of the `changed` fields replaces the event's seats."""
    return not changed.isdisjoint({"venue_id", "hall_id"})


def check_in_time(changed: Set[str], sale_starts_at: datetime, now: datetime) -> None:
    """Raises SaleStarted with the fields that can no longer be changed."""
    late = changed - AFTER_SALE_START
    if late and now >= sale_starts_at:
        raise SaleStarted(fields=sorted(map(to_camel, late)))


@dataclass(frozen=True)
class StoredEvent:
    """An event as an edit finds it."""

    proposal: EventProposal
    version: int
    seat_template: SeatTemplate  # its seats were made from it
    cancelled: bool

    def check_not_cancelled(self) -> None:
        """Raises EventIsCancelled."""
        if self.cancelled:
            raise EventIsCancelled()

    def check_not_over(self, now: datetime) -> None:
        """Raises EventIsCancelled and EventEnded."""
        self.check_not_cancelled()
        if self.proposal.ends_at <= now:
            raise EventEnded()

    def rescheduled(self, times: EventEdit, now: datetime) -> EventProposal:
        """The event at other times. Raises SaleNotStarted, and InvalidInput for a show that would be over."""
        if now < self.proposal.sale_starts_at:
            raise SaleNotStarted()
        after = times.applied_to(self.proposal)
        if after.ends_at <= now:
            raise InvalidInput([{"field": "endsAt", "reason": "must be in the future"}])
        after.check(self.seat_template)
        return after
