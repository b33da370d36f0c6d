"""The waiting room's keys in Redis: the queue service writes what the admitter moves.

Every key of one event carries the event's hash tag, so that a script finds them all in one slot.
"""

from common.domain.ids import EventId, UserId

LIVE_QUEUES = "queue:live"  # sorted set: event id → end of its sale in epoch seconds

WAITER_GRACE_SECONDS = 300  # a user who has not polled for this long is dropped from the queue (QUEUE-003)


def queue_key(event_id: EventId) -> str:
    """Sorted set: user id → place (time of entry in µs, strictly increasing)."""
    return f"queue:{{{event_id}}}"


def last_seen_key(event_id: EventId) -> str:
    """Sorted set: user id → time of the last poll in µs, possibly a little behind (`read_status.lua`)."""
    return f"queue:seen:{{{event_id}}}"


def sale_key(event_id: EventId) -> str:
    """Hash: the sale terms as the events service gave them, and the queue's own counts."""
    return f"queue:sale:{{{event_id}}}"


def live_tokens_key(event_id: EventId) -> str:
    """Sorted set: user id → end of their reservation token in epoch ms."""
    return f"queue:admitted:{{{event_id}}}"


def early_admissions_key(event_id: EventId) -> str:
    """Set: users admitted in the queue's first minutes. Their place receipts are spent (`enter_queue.lua`)."""
    return f"queue:let_in:{{{event_id}}}"


def clock_key(event_id: EventId) -> str:
    """String that expires at a known moment: its remaining life tells a script the time (`admit_next.lua`)."""
    return f"queue:clock:{{{event_id}}}"


def held_seats_key(event_id: EventId) -> str:
    """Sorted set: seat id → end of the hold in epoch ms. The reservations service writes it; it is only read here."""
    return f"hold_seats:{{{event_id}}}"


def membership_key(user_id: UserId) -> str:
    """String: the event that this user waits for, and since when (QUEUE-021)."""
    return f"queue:active:{{{user_id}}}"
