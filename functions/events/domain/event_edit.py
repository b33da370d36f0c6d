"""What an admin may change of an event, and until when (EVT-002)."""

from collections.abc import Set
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from pydantic.alias_generators import to_camel

from common.domain.model import Model
from functions.events.domain.errors import SaleStarted
from functions.events.domain.event_proposal import (
    AdmissionPerSecond,
    EventProposal,
    MaxSeats,
    Prices,
    QueueCapacity,
)
from functions.events.domain.input_bounds import Date, Label, Prose

# Once tickets are sold, what was bought stays what it was: times move by a reschedule, which gives buyers their choice.
AFTER_SALE_START = frozenset({"title", "description", "sale_ends_at", "admission_per_second", "queue_capacity"})


class EventEdit(Model):
    """Any of a proposal's fields; one that is left out stays as it is, and none can be null."""

    title: Annotated[Label, Field(default=None)]
    artist: Annotated[Label, Field(default=None)]
    description: Annotated[Prose, Field(default=None)]
    venue_id: Annotated[UUID, Field(default=None)]
    hall_id: Annotated[UUID, Field(default=None)]
    starts_at: Annotated[Date, Field(default=None)]
    ends_at: Annotated[Date, Field(default=None)]
    sale_starts_at: Annotated[Date, Field(default=None)]
    sale_ends_at: Annotated[Date, Field(default=None)]
    prices: Annotated[Prices, Field(default=None)]
    admission_per_second: Annotated[AdmissionPerSecond, Field(default=None)]
    queue_capacity: Annotated[QueueCapacity, Field(default=None)]
    max_seats: Annotated[MaxSeats, Field(default=None)]

    def applied_to(self, proposal: EventProposal) -> EventProposal:
        return proposal.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


def changes(before: EventProposal, after: EventProposal) -> Set[str]:
    """The fields in which they differ."""
    return {name for name in EventProposal.model_fields if getattr(before, name) != getattr(after, name)}


def check_in_time(changed: Set[str], sale_starts_at: datetime, now: datetime) -> None:
    """Raises SaleStarted, naming the fields, for what cannot be changed any more."""
    late = changed - AFTER_SALE_START
    if late and now >= sale_starts_at:
        raise SaleStarted(fields=sorted(map(to_camel, late)))
