"""The record of a queue: who entered, was admitted, dropped, rejected or left (`docs/waiting-room.md`, Record).

It is the log: append-only, kept as long as the log group, queried with Logs Insights, and it outlives Redis. The log
record of a request has the user, the time and the trace already; `record` adds the outcome, without a call of its own.
The admitter writes one log record for each queue that a tick moved.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from common.domain.ids import EventId
from common.domain.shared_errors import DomainError
from common.runtime.log import log


def record(event_id: EventId, outcome: str) -> None:
    """`outcome`: TAKEN, KEPT or RETURNED (a place), ADMITTED, LEFT, or the code of an error."""
    # Operators' Logs Insights queries read `line.event` and `line.outcome`: these names must not change.
    log.append_keys(line={"event": str(event_id), "outcome": outcome})


@contextmanager
def rejections_recorded(event_id: EventId) -> Iterator[None]:
    try:
        yield
    except DomainError as error:
        record(event_id, error.code)
        raise
