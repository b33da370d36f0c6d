"""The transactional outbox: a message is published if and only if the transaction that wrote it commits (RSV-012).

Die before the commit and there is neither change nor message; die after it and the relay publishes what it finds.
"""

from uuid import UUID
from zlib import crc32

from common.domain.clock import Clock, NewId, new_id, utc_now
from common.messaging.messages import Payload, envelope
from common.runtime.trace import causation_id, trace_id
from common.stores.postgres import Connection

SHARDS = 16  # fixed for good: a key must stay in its shard, or its order is lost


def shard_of(partition_key: str) -> int:
    return crc32(partition_key.encode()) % SHARDS


class Outbox:
    """Writes messages beside the change they tell of."""

    def __init__(self, clock: Clock = utc_now, ids: NewId = new_id) -> None:
        self._clock = clock
        self._ids = ids

    def write(self, connection: Connection, payload: Payload, *, user_id: UUID) -> None:
        """Add `payload` to the caller's transaction, after it has locked the aggregate's row.

        The row's id is drawn from a sequence under that lock, which makes the order of ids the order of the
        aggregate's changes; the relay publishes by it.
        """
        cause = causation_id.get()
        message = envelope(
            payload,
            message_id=self._ids(),
            at=self._clock(),
            correlation_id=trace_id.get(),
            causation_id=UUID(cause) if cause else None,
            user_id=user_id,
        )
        connection.execute(
            """
            INSERT INTO common.outbox_events
                   (message_id, topic, partition_key, shard, aggregate_type, aggregate_id, event_type, payload)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                message.event_id,
                payload.topic,
                payload.partition_key,
                shard_of(payload.partition_key),
                message.aggregate_type,
                message.aggregate_id,
                message.event_type,
                message.to_json(),
            ),
        )
