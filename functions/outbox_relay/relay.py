"""One pass over one shard of the outbox: lock, read, publish, mark; at least once and in order per key.

killed before the publish     nothing happened; the next relay reads the same rows
killed after it               the rows are still unpublished: they are published again, and consumers skip them
killed after the commit       done
two relays at once            the advisory lock lets one in; the other goes to the next shard
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from common.log import log
from common.messages import DEAD_LETTERS
from common.outbox import SHARDS
from common.postgres import Connection, Database

LOCK_SPACE = 0x0B0C  # keeps these advisory locks apart from others of the database
ATTEMPTS = 3  # refusals of a record by the broker before it becomes a dead letter


@dataclass(frozen=True)
class OutboxRow:
    id: int
    topic: str
    partition_key: str
    event_type: str
    payload: str
    headers: dict[str, str]
    created_at: datetime
    retry_count: int


class Publisher(Protocol):
    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        """Send all the rows; for each, None once the broker has it for good, or why it has not."""


class BrokerAway(Exception):
    """No record's fault: nothing can be published now."""


@dataclass(frozen=True)
class Pass:
    published: int
    failed: int
    oldest_seconds: float  # how long the oldest record of the pass had waited


class Relay:
    def __init__(self, database: Database, publisher: Publisher, batch: int) -> None:
        self._database = database
        self._publisher = publisher
        self._batch = batch

    def busy_shards(self) -> list[int]:
        """The shards with something to publish: one cheap index read while there is none."""
        rows = self._database.rows(
            """
            SELECT shard FROM generate_series(0, %s) AS shard
             WHERE EXISTS (SELECT FROM common.outbox_events o WHERE o.shard = shard.shard AND o.published_at IS NULL)
            """,
            (SHARDS - 1,),
        )
        return [row["shard"] for row in rows]

    def drain(self, shard: int) -> Pass:
        """Publish one batch of a shard; nothing if another relay has it. Raises BrokerAway, with nothing marked."""
        with self._database.transaction() as connection:
            if not self._lock(connection, shard):
                return Pass(0, 0, 0.0)
            rows, oldest = self._unpublished(connection, shard)
            if not rows:
                return Pass(0, 0, 0.0)
            outcomes = self._publish(rows)
            self._mark(connection, [row.id for row, error in outcomes if error is None])
            failed = [(row, error) for row, error in outcomes if error is not None]
            for row, error in failed:
                self._count_failure(connection, row, error)
        return Pass(len(outcomes) - len(failed), len(failed), oldest)

    def _publish(self, rows: Sequence[OutboxRow]) -> list[tuple[OutboxRow, Exception | None]]:
        """Rounds of at most one record a key, so that one the broker refuses holds back the later ones of its key."""
        outcomes: list[tuple[OutboxRow, Exception | None]] = []
        blocked: set[str] = set()
        waiting = list(rows)
        while waiting:
            round_: dict[str, OutboxRow] = {}
            later = []
            for row in waiting:
                if row.partition_key in blocked:
                    continue
                if row.partition_key in round_:
                    later.append(row)
                else:
                    round_[row.partition_key] = row
            if not round_:
                break
            errors = self._publisher.publish(list(round_.values()))
            for row, error in zip(round_.values(), errors, strict=True):
                outcomes.append((row, error))
                if error is not None:
                    blocked.add(row.partition_key)
            waiting = later
        return outcomes

    def _lock(self, connection: Connection, shard: int) -> bool:
        # Held by the transaction, not the session: RDS Proxy stays unpinned, and a killed relay's lock dies with it.
        row = connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s) AS held", (LOCK_SPACE, shard)).fetchone()
        return bool(row and row["held"])

    def _unpublished(self, connection: Connection, shard: int) -> tuple[list[OutboxRow], float]:
        # By published_at and not by a cursor over ids: ids commit out of order, and a cursor would step over late ones.
        rows: list[dict[str, Any]] = connection.execute(
            """
            SELECT id, topic, partition_key, event_type, payload, headers, created_at, retry_count,
                   extract(epoch FROM clock_timestamp() - created_at)::float8 AS age
              FROM common.outbox_events WHERE shard = %s AND published_at IS NULL ORDER BY id LIMIT %s
            """,
            (shard, self._batch),
        ).fetchall()
        oldest = max((row.pop("age") for row in rows), default=0.0)
        return [OutboxRow(**row) for row in rows], oldest

    def _mark(self, connection: Connection, ids: list[int]) -> None:
        connection.execute("UPDATE common.outbox_events SET published_at = now() WHERE id = ANY(%s)", (ids,))

    def _count_failure(self, connection: Connection, row: OutboxRow, error: Exception) -> None:
        """Note it; the third time the record is aimed at its dead-letter topic, and its key is free again."""
        log.error("not published", extra={"outbox_id": row.id, "topic": row.topic, "error": str(error)})
        dead = row.retry_count + 1 >= ATTEMPTS and row.topic in DEAD_LETTERS
        connection.execute(
            """
            UPDATE common.outbox_events
               SET retry_count = retry_count + 1, last_error = %(error)s,
                   topic = %(topic)s, headers = headers || %(headers)s::jsonb
             WHERE id = %(id)s
            """,
            {
                "id": row.id,
                "error": str(error)[:500],
                "topic": DEAD_LETTERS[row.topic] if dead else row.topic,
                "headers": json.dumps({"topic": row.topic, "reason": str(error)[:200]} if dead else {}),
            },
        )
