"""The record of a line: who entered, was let in, dropped, refused or left, and when (`docs/waiting-room.md`, Record).

It is the log: append-only, kept as long as CloudWatch is told to, queried with Logs Insights, and it outlives Redis. An
endpoint's request line already has the user, the time and the trace; this adds what became of him, at no call or line.
The admitter writes one line a tick and event.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from common.domain.shared_errors import DomainError
from common.runtime.log import log


def record(event_id: UUID, outcome: str) -> None:
    """`outcome`: TAKEN, KEPT or RETURNED (a place), ADMITTED, LEFT, or the code of a refusal."""
    log.append_keys(line={"event": str(event_id), "outcome": outcome})


@contextmanager
def refusals_recorded(event_id: UUID) -> Iterator[None]:
    try:
        yield
    except DomainError as refusal:
        record(event_id, refusal.code)
        raise
