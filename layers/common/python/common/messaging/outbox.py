"""The transactional outbox: a message is published if and only if the transaction that wrote it commits (RSV-012).

If the process crashes before the commit, there is neither change nor message; if it crashes after it, the relay
publishes the message.
"""

from uuid import UUID
from zlib import crc32

from common.domain.clock import Clock, NewId, new_id, utc_now
from common.domain.ids import UserId
from common.messaging.messages import Payload, envelope
from common.runtime.trace import causation_id, trace_id
from common.stores.postgres import Connection

SHARDS = 16  # never changes: a key must stay in its shard, or its order is lost


def shard_of(partition_key: str) -> int:
    return crc32(partition_key.encode()) % SHARDS


class Outbox:
    """Writes messages in the transaction of the change that they report."""

    def __init__(self, clock: Clock = utc_now, ids: NewId = new_id) -> None:
        self._clock = clock
        self._ids = ids

    def write(self, connection: Connection, payload: Payload, *, user_id: UserId) -> None:
        """Add `payload` to the caller's transaction, which has locked the aggregate's row.

        The row's id comes from a sequence under that lock, so the order of ids is the order of the aggregate's changes.
        The relay publishes in that order.
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
