"""The time, passed in so that tests can set it, and its format in PortOne's API."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The current time in UTC, with its time zone."""
    return datetime.now(UTC)


def rfc3339(time: datetime) -> str:
    """`2026-05-01T11:00:00.123456Z`: always with a fraction, as PortOne writes times."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
