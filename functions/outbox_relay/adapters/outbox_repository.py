"""The outbox in Postgres, as the relay reads and marks it."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from common.messaging.outbox import SHARDS
from common.stores.postgres import Connection, Database
from functions.outbox_relay.domain.outbox_row import Backlog, OutboxRow, Retry

LOCK_SPACE = 0x0B0C  # keeps these advisory locks apart from others of the database
MOST_LAG = 100_000  # the lag is counted no further


class OutboxRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[Connection]:
        return self._database.transaction()

    def has_unpublished(self) -> bool:
        row = self._database.row("SELECT FROM common.outbox_events WHERE published_at IS NULL LIMIT 1")
        return row is not None

    def busy_shards(self) -> list[int]:
        """The shards that have unpublished rows."""
        rows = self._database.rows(
            """
            SELECT shard FROM generate_series(0, %s) AS one(shard)
             WHERE EXISTS (SELECT FROM common.outbox_events o WHERE o.shard = one.shard AND o.published_at IS NULL)
            """,
            (SHARDS - 1,),
        )
        return [row["shard"] for row in rows]

    def lock_shards(self, connection: Connection, shards: Sequence[int], at_most: int) -> list[int]:
        """Lock those that no other relay has locked."""
        # Held by the transaction, not the session: RDS Proxy stays unpinned, and a killed relay's locks are released.
        rows = connection.execute(
            "SELECT shard FROM unnest(%s::int[]) AS one(shard) WHERE pg_try_advisory_xact_lock(%s, shard) LIMIT %s",
            (list(shards), LOCK_SPACE, at_most),
        ).fetchall()
        return [row["shard"] for row in rows]

    def unpublished(self, connection: Connection, shards: Sequence[int], share: int, due: int) -> list[OutboxRow]:
        """At most `share` rows of each shard.

        First the held ordering keys that are due, only the first row of each and `due` of them at most, those that have
        waited longest before. Then rows of ordering keys that are not held: what is held never fills a whole pass.
        """
        # By published_at and not by a cursor over ids: ids commit out of order, and a cursor would skip late ones.
        rows: list[dict[str, Any]] = connection.execute(
            """
            SELECT o.*
              FROM unnest(%(shards)s::smallint[]) AS mine(shard),
                   LATERAL (
                     (SELECT id, topic, partition_key, payload, headers, retry_count
                        FROM common.outbox_events due
                       WHERE due.shard = mine.shard AND published_at IS NULL AND retry_at <= clock_timestamp()
                         AND NOT EXISTS (SELECT FROM common.outbox_events held
                                          WHERE held.shard = mine.shard AND held.published_at IS NULL
                                            AND held.retry_at IS NOT NULL AND held.id < due.id
                                            AND held.partition_key = due.partition_key AND held.topic = due.topic)
                       ORDER BY retry_at LIMIT %(due)s)
                     UNION ALL
                     (SELECT id, topic, partition_key, payload, headers, retry_count
                        FROM common.outbox_events new
                       WHERE new.shard = mine.shard AND published_at IS NULL
                         AND NOT EXISTS (SELECT FROM common.outbox_events held
                                          WHERE held.shard = mine.shard AND held.published_at IS NULL
                                            AND held.retry_at IS NOT NULL
                                            AND held.partition_key = new.partition_key AND held.topic = new.topic)
                       ORDER BY id LIMIT %(share)s)
                     LIMIT %(share)s) AS o
            """,
            {"shards": list(shards), "share": share, "due": due},
        ).fetchall()
        return [OutboxRow(**row) for row in rows]

    def mark_published(self, connection: Connection, ids: list[int]) -> None:
        connection.execute("UPDATE common.outbox_events SET published_at = now() WHERE id = ANY(%s)", (ids,))

    def hold(self, connection: Connection, ids: list[int], seconds: float) -> None:
        """Try these rows again after so many seconds, without counting a retry."""
        connection.execute(
            "UPDATE common.outbox_events SET retry_at = clock_timestamp() + make_interval(secs => %s)"
            " WHERE id = ANY(%s)",
            (seconds, ids),
        )

    def retry(self, connection: Connection, row_id: int, retry: Retry, error: str) -> None:
        connection.execute(
            """
            UPDATE common.outbox_events
               SET retry_count = %(count)s, last_error = %(error)s, topic = %(topic)s,
                   headers = headers || %(headers)s::jsonb,
                   retry_at = clock_timestamp() + make_interval(secs => %(wait)s)
             WHERE id = %(id)s
            """,
            {
                "id": row_id,
                "count": retry.retry_count,
                "error": error,
                "topic": retry.topic,
                "headers": json.dumps(retry.headers),
                "wait": retry.wait_seconds,
            },
        )

    def backlog(self) -> Backlog:
        row = self._database.row(
            """
            SELECT (SELECT count(*) FROM (SELECT FROM common.outbox_events
                                           WHERE published_at IS NULL LIMIT %s) AS counted) AS lag,
                   (SELECT extract(epoch FROM clock_timestamp() - min(first.created_at))::float8
                      FROM generate_series(0, %s) AS one(shard),
                           LATERAL (SELECT created_at FROM common.outbox_events o
                                     WHERE o.shard = one.shard AND published_at IS NULL ORDER BY id LIMIT 1) AS first
                   ) AS oldest
            """,
            (MOST_LAG, SHARDS - 1),
        )
        return Backlog(row["lag"], row["oldest"] or 0.0) if row else Backlog(0, 0.0)
