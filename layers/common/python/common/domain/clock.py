"""Time and new ids, passed in so that tests can control them."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from uuid6 import uuid7

Clock = Callable[[], datetime]
NewId = Callable[[], UUID]


def utc_now() -> datetime:
    return datetime.now(UTC)


def microseconds(moment: datetime) -> int:
    """Since the epoch."""
    return int(moment.timestamp() * 1_000_000)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): ordered by time, so that inserts into an index stay at its end."""
    return UUID(int=uuid7().int)
