"""Names of the waiting room's Redis keys, which the queue writes and the admitter moves along.

Everything of one event carries the event's hash tag, so a script sees all of it in one slot.
"""

from uuid import UUID

LIVE_LINES = "queue:live"  # sorted set of event ids, scored by the end of their sale in epoch seconds


def line_key(event_id: UUID) -> str:
    """Sorted set: user id → entry time in µs, strictly increasing."""
    return f"queue:{{{event_id}}}"


def sale_key(event_id: UUID) -> str:
    """Hash: the sale's terms as the events service gave them, the last score, and the admissions of this second."""
    return f"queue:sale:{{{event_id}}}"


def admitted_key(event_id: UUID) -> str:
    """Sorted set: user id → end of the `qr_` token in epoch ms."""
    return f"queue:admitted:{{{event_id}}}"


def active_key(user_id: UUID) -> str:
    """String: the event this user is in line for (QUEUE-021)."""
    return f"queue:active:{{{user_id}}}"
