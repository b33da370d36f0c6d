"""Queue membership: a user waits for one event at a time (QUEUE-021)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.domain.clock import microseconds
from common.domain.ids import EventId

# Longer than any `enter` may run: a membership this old whose user has no place is from an `enter` that crashed.
MEMBERSHIP_GRACE = timedelta(seconds=30)


@dataclass(frozen=True)
class QueueMembership:
    """The event whose queue a user is in, or was about to enter."""

    event_id: EventId
    since: int  # epoch µs
    replaced_since: int | None = None  # `since` of the membership for the same event that this one replaced

    def is_young(self, now: datetime) -> bool:
        """The `enter` that took it may still be running."""
        return _is_young(self.since, now)

    def replaced_a_young_one(self, now: datetime) -> bool:
        return self.replaced_since is not None and _is_young(self.replaced_since, now)


def _is_young(since: int, now: datetime) -> bool:
    return microseconds(now) < since + MEMBERSHIP_GRACE // timedelta(microseconds=1)
