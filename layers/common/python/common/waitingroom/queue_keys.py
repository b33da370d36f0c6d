"""The waiting room's keys in Redis, which the queue writes and the admitter moves along, and how a sale's terms get in.

Everything of one event carries the event's hash tag, so a script sees all of it in one slot.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from common.contracts.sale_terms import SaleTermsAnswer
from common.domain.clock import microseconds
from common.stores.redis import Client, Script

LIVE_LINES = "queue:live"  # sorted set of event ids, scored by the end of their sale in epoch seconds

TERMS_FRESH = timedelta(seconds=30)  # how long a line takes users on terms it learnt
WAITER_GRACE_SECONDS = 300  # a waiter not seen for as long is dropped (QUEUE-003)


def line_key(event_id: UUID) -> str:
    """Sorted set: user id → entry time in µs, strictly increasing."""
    return f"queue:{{{event_id}}}"


def seen_key(event_id: UUID) -> str:
    """Sorted set: user id → when last seen in line, in µs and a little behind (`read_status.lua`)."""
    return f"queue:seen:{{{event_id}}}"


def sale_key(event_id: UUID) -> str:
    """Hash: the sale's terms as the events service gave them, and the line's own counts."""
    return f"queue:sale:{{{event_id}}}"


def admitted_key(event_id: UUID) -> str:
    """Sorted set: user id → end of the `qr_` token in epoch ms."""
    return f"queue:admitted:{{{event_id}}}"


def let_in_key(event_id: UUID) -> str:
    """Set: users let in during the line's first minutes, whose old places are spent (`enter_queue.lua`)."""
    return f"queue:let_in:{{{event_id}}}"


def clock_key(event_id: UUID) -> str:
    """String that ends at a known moment: what is left of it tells a script the time (`admit_next.lua`)."""
    return f"queue:clock:{{{event_id}}}"


def held_seats_key(event_id: UUID) -> str:
    """Sorted set of reservations' holds: seat id → end of the hold in epoch ms. Only read here."""
    return f"hold_seats:{{{event_id}}}"


def active_key(user_id: UUID) -> str:
    """String: the event this user is in line for (QUEUE-021)."""
    return f"queue:active:{{{user_id}}}"


Ask = Callable[[UUID], SaleTermsAnswer]


class SaleTermsLearner:
    """Writes what the events service says of a sale to where the line's scripts look."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._learn = Script(Path(__file__).parent / "lua" / "write_sale_terms.lua")

    def close(self, event_id: UUID, now: datetime) -> None:
        """Let nobody in any more: the event is no more. Whoever waits is told that the sale is closed."""
        # First the list the admitter walks. Die after it, and `enter` finds out by itself.
        self._redis.zadd(LIVE_LINES, {str(event_id): now.timestamp()})
        self._redis.hset(sale_key(event_id), "closes", str(microseconds(now)))

    def learn(self, terms: SaleTermsAnswer, now: datetime) -> None:
        # First the list the admitter walks: a line that takes users but is on no list would never move.
        self._redis.zadd(LIVE_LINES, {str(terms.event_id): terms.sale_ends_at.timestamp()})
        self._learn(
            self._redis,
            [sale_key(terms.event_id)],
            [
                microseconds(terms.sale_starts_at),
                microseconds(terms.sale_ends_at),
                terms.queue_capacity,
                terms.admission_per_second,
                int(terms.sold_out),
                microseconds(now + TERMS_FRESH),
                microseconds(now),
                "" if terms.seats_left is None else terms.seats_left,
            ],
        )
