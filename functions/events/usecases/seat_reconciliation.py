"""Finds where the stores of an event's seats disagree, and repairs what is safe to repair (EVT-030).

Seats and holds follow the reservations a moment later, so one look may find a change that is still under way: only what
two looks, some seconds apart, both find is a disagreement.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from common.domain.ids import EventId
from functions.events.domain.seat_disagreements import Disagreements, SeatSnapshot, find_disagreements

SETTLE_SECONDS = 15.0  # between two looks: longer than any hold takes to be written, and most messages to be consumed


class Records(Protocol):
    """`SeatRecords`, or a fake in tests."""

    def on_sale(self) -> Sequence[EventId]: ...
    def snapshot(self, event_id: EventId) -> SeatSnapshot: ...
    def repair(self, event_id: EventId, found: Disagreements) -> None: ...


def reconcile(
    records: Records, wait: Callable[[float], None], failed: Callable[[EventId, Exception], None]
) -> dict[EventId, Disagreements]:
    """Compares the records of every event on sale twice, repairs what both looks found, and returns it.

    An event that cannot be compared or repaired is reported to `failed` and does not stop the others.
    """

    def look(event_id: EventId) -> Disagreements:
        try:
            return find_disagreements(records.snapshot(event_id))
        except Exception as error:
            failed(event_id, error)
            return Disagreements()

    suspects = {event_id: found for event_id in records.on_sale() if (found := look(event_id))}
    if not suspects:
        return {}
    wait(SETTLE_SECONDS)
    confirmed = {event_id: found for event_id, first in suspects.items() if (found := first & look(event_id))}
    for event_id, found in confirmed.items():
        try:
            records.repair(event_id, found)
        except Exception as error:
            failed(event_id, error)
    return confirmed
