"""Writes the sale terms of the events service to where the waiting room's scripts read them."""

from datetime import datetime, timedelta
from pathlib import Path

from common.contracts.sale_terms import SaleTermsResponse
from common.domain.clock import microseconds
from common.domain.ids import EventId
from common.stores.redis import Client, Script
from common.waitingroom.queue_keys import LIVE_QUEUES, sale_key

TERMS_FRESH_FOR = timedelta(seconds=30)  # how long a queue accepts users on the terms it was given


class SaleTermsWriter:
    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._write = Script(Path(__file__).parent / "lua" / "write_sale_terms.lua")

    def write(self, terms: SaleTermsResponse, now: datetime) -> None:
        event_id = EventId(terms.event_id)
        # First the list that the admitter reads: a queue that accepts users but is on no list would never move.
        self._redis.zadd(LIVE_QUEUES, {str(event_id): terms.sale_ends_at.timestamp()})
        self._write(
            self._redis,
            [sale_key(event_id)],
            [
                microseconds(terms.sale_starts_at),
                microseconds(terms.sale_ends_at),
                terms.queue_capacity,
                terms.admission_per_second,
                int(terms.sold_out),
                microseconds(now + TERMS_FRESH_FOR),
                microseconds(now),
                "" if terms.seats_left is None else terms.seats_left,
            ],
        )

    def close(self, event_id: EventId, now: datetime) -> None:
        """End the sale of an event that no longer exists: no user is admitted, and waiting users get SALE_CLOSED."""
        # First the list that the admitter reads. If the process crashes here, the next `enter` learns it from events.
        self._redis.zadd(LIVE_QUEUES, {str(event_id): now.timestamp()})
        self._redis.hset(sale_key(event_id), "closes", str(microseconds(now)))
