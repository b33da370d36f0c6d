"""Internal: how many reservations an event has, asked by events before it deletes one and after it cancelled one
(EVT-003, EVT-028)."""

from common.contracts.event_tally import EventTallyAnswer, EventTallyAsked
from common.contracts.internal_call import internal
from functions.reservations.wiring.purchases import store


@internal
def handler(asked: EventTallyAsked) -> EventTallyAnswer:
    return EventTallyAnswer.model_validate({"event_id": asked.event_id, **store().tally(asked.event_id)})
