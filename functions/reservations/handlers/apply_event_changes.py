"""Consumer of `event.events`: a cancelled event's reservations end, a rescheduled one's move (EVT-028, EVT-029)."""

from functools import cache
from typing import Any

from common.domain.clock import utc_now
from common.messaging.consumer import Consumer
from common.messaging.messages import EventCancelled, EventRescheduled
from common.stores.postgres import database
from functions.reservations.usecases.apply_event_changes import EventOutcome
from functions.reservations.wiring.purchases import store


@cache
def consumer() -> Consumer:
    outcome = EventOutcome(store(), utc_now)
    return Consumer(
        "reservations", database(), {EventCancelled: outcome.cancelled, EventRescheduled: outcome.rescheduled}
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return consumer()(event)
