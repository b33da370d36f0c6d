"""One pass over the outbox: lock shards, read, publish, mark; at least once, and in order per topic and key.

killed before the publish     nothing happened; the next relay reads the same rows
killed after it               the rows are still unpublished: they are published again, and consumers skip them
killed after the commit       done
two relays at once            an advisory lock a shard lets one in; the other takes the shards that are free

Of one key at most one record is unanswered at any time. So however a relay or a broker dies, what may come late is a
repeat of a record that was published already: the first appearances of a key's records are always in order.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import shuffle
from typing import Any, Protocol

from common.messaging.messages import DEAD_LETTERS
from common.messaging.outbox import SHARDS
from common.runtime.log import log
from common.stores.postgres import Connection, Database

LOCK_SPACE = 0x0B0C  # keeps these advisory locks apart from others of the database
SHARDS_AT_ONCE = SHARDS // 2  # so that two relays share a crowd
BACKOFF = (1.0, 2.0, 4.0)  # seconds before each repeat of a refused record; refused again after the last, it is buried
# Seconds until the next try of what the broker could not take: more than a pass takes that waits for no answer, or all
# that was held would be due again when the next one reads.
LATER = 12.0
LAST_ROUND = 5.0  # seconds after a pass's first that it begins another: with its answers, before Postgres ends it
BIG_LAG = 100_000  # counted no further


@dataclass(frozen=True)
class OutboxRow:
    id: int
    topic: str
    partition_key: str
    payload: str
    headers: dict[str, str]
    retry_count: int

    @property
    def value(self) -> str:
        """What is sent: of a dead letter that even its topic refuses, only where it can be found."""
        return "" if "outbox_id" in self.headers else self.payload

    @property
    def line(self) -> tuple[str, str]:
        """Those who must stay in order."""
        return self.topic, self.partition_key


class BrokerAway(Exception):
    """No record's fault: the broker, or the leader of a partition, takes nothing now."""


class Publisher(Protocol):
    def connect(self) -> None:
        """Be ready to publish; nothing if it is. Raises BrokerAway."""

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        """Send all the rows; for each, None once the broker has it for good, or why it has not: BrokerAway, or
        whatever is wrong with the row. Takes well under the 15 s after which Postgres ends an idle transaction."""


@dataclass(frozen=True)
class Pass:
    published: int = 0
    failed: int = 0
    buried: int = 0


@dataclass(frozen=True)
class Backlog:
    lag: int  # records not published yet, BIG_LAG at most
    oldest_seconds: float  # how long the oldest of them has waited; 0 without any


@dataclass
class _Outcomes:
    published: list[OutboxRow] = field(default_factory=list)
    refused: list[tuple[OutboxRow, Exception]] = field(default_factory=list)
    waiting: list[tuple[OutboxRow, BrokerAway]] = field(default_factory=list)

    def add(self, row: OutboxRow, error: Exception | None) -> None:
        if error is None:
            self.published.append(row)
        elif isinstance(error, BrokerAway):
            self.waiting.append((row, error))
        else:
            self.refused.append((row, error))


class Relay:
    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        batch: int,
        backoff: Sequence[float] = BACKOFF,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`batch` is how many records a pass takes at most: what bounds the relay's memory."""
        self._database = database
        self._publisher = publisher
        self._batch = batch
        self._backoff = backoff
        self._clock = clock
        self._was_idle = False  # whether the last pass found nothing

    def sweep(self) -> Pass:
        """Publish one batch, of the shards that have something and that no other relay has.

        Idle, it is one read of an empty index. Raises BrokerAway when nothing could be published: at once if
        the broker is not there, or with what was tried held, so that the next pass tries what is behind it.
        """
        self._publisher.connect()  # before any lock: who takes seconds to reach the broker must not keep shards waiting
        # Idle it looks ten times a second, and planning the question by shard is most of what that costs.
        busy = self._busy_shards() if not self._was_idle or self._anything_waits() else []
        self._was_idle = not busy
        if not busy:
            return Pass()
        with self._database.transaction() as connection:
            rows = self._unpublished(connection, self._lock(connection, busy))
            outcomes = self._publish(rows)
            self._mark(connection, [row.id for row in outcomes.published])
            self._hold(connection, [row.id for row, _ in outcomes.waiting])
            for row, error in outcomes.refused:
                self._refused(connection, row, error)
        if outcomes.waiting and len(outcomes.waiting) == len(rows):
            raise outcomes.waiting[0][1]
        letters = sum(row.topic in DEAD_LETTERS.values() for row in outcomes.published)
        return Pass(len(outcomes.published), len(outcomes.refused), letters)

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
            (BIG_LAG, SHARDS - 1),
        )
        return Backlog(row["lag"], row["oldest"] or 0.0) if row else Backlog(0, 0.0)

    def _anything_waits(self) -> bool:
        row = self._database.row("SELECT FROM common.outbox_events WHERE published_at IS NULL LIMIT 1")
        return row is not None

    def _busy_shards(self) -> list[int]:
        rows = self._database.rows(
            """
            SELECT shard FROM generate_series(0, %s) AS one(shard)
             WHERE EXISTS (SELECT FROM common.outbox_events o WHERE o.shard = one.shard AND o.published_at IS NULL)
            """,
            (SHARDS - 1,),
        )
        shards = [row["shard"] for row in rows]
        shuffle(shards)  # two relays begin at different ends, and with more than fit into a pass none is left for last
        return shards

    def _lock(self, connection: Connection, shards: Sequence[int]) -> list[int]:
        # Held by the transaction, not the session: RDS Proxy stays unpinned, and a killed relay's locks die with it.
        rows = connection.execute(
            "SELECT shard FROM unnest(%s::int[]) AS one(shard) WHERE pg_try_advisory_xact_lock(%s, shard) LIMIT %s",
            (list(shards), LOCK_SPACE, SHARDS_AT_ONCE),
        ).fetchall()
        return [row["shard"] for row in rows]

    def _unpublished(self, connection: Connection, shards: Sequence[int]) -> list[OutboxRow]:
        """Of each line that was held and is due, its first row: half a shard's share at most, those that have waited
        longest before. The rest is of lines that are not held: what is held never takes a whole pass."""
        # By published_at and not by a cursor over ids: ids commit out of order, and a cursor would step over late ones.
        if not shards:
            return []
        share = max(1, self._batch // len(shards))
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
            {"shards": list(shards), "share": share, "due": max(1, share // 2)},
        ).fetchall()
        return [OutboxRow(**row) for row in rows]

    def _publish(self, rows: Sequence[OutboxRow]) -> _Outcomes:
        """Rounds of at most one record a line, so that one that fails holds back the later ones of its line."""
        outcomes = _Outcomes()
        blocked: set[tuple[str, str]] = set()
        # Refused before, and alone this time: the broker may refuse a whole request for one record in it. Always the
        # first of its line, so it is no trouble to the order.
        left = [row for row in rows if row.retry_count == 0]
        rounds = [[row] for row in rows if row.retry_count > 0]
        last = self._clock() + LAST_ROUND
        # What is not tried, for want of a broker or because it answers late, is tried in the next pass.
        while (rounds or left) and not outcomes.waiting and self._clock() < last:
            if not rounds:
                ready, left = _first_of_each_line(left, blocked)
                rounds = [ready]
            round_ = rounds.pop(0)
            for row, error in zip(round_, self._publisher.publish(round_), strict=True):
                outcomes.add(row, error)
                if error is not None:
                    blocked.add(row.line)
        return outcomes

    def _mark(self, connection: Connection, ids: list[int]) -> None:
        connection.execute("UPDATE common.outbox_events SET published_at = now() WHERE id = ANY(%s)", (ids,))

    def _hold(self, connection: Connection, ids: list[int]) -> None:
        """A part of the broker is away (a partition's leader, a topic): what waits for it stops nothing else."""
        if ids:
            connection.execute(
                "UPDATE common.outbox_events SET retry_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE id = ANY(%s)",
                (LATER, ids),
            )

    def _refused(self, connection: Connection, row: OutboxRow, error: Exception) -> None:
        """Let it wait, and its line with it; after the last repeat aim it at its dead letters, and free the line."""
        log.error("not published", extra={"outbox_id": row.id, "topic": row.topic, "error": str(error)})
        dead = row.retry_count >= len(self._backoff) and row.topic in DEAD_LETTERS
        headers = {}
        if dead:
            headers = {"topic": row.topic, "reason": str(error)[:200]}
        elif row.topic in DEAD_LETTERS.values():
            headers = {"outbox_id": str(row.id)}  # too much even for there: redrive fetches it from its row
        connection.execute(
            """
            UPDATE common.outbox_events
               SET retry_count = %(count)s, last_error = %(error)s, topic = %(topic)s,
                   headers = headers || %(headers)s::jsonb,
                   retry_at = clock_timestamp() + make_interval(secs => %(wait)s)
             WHERE id = %(id)s
            """,
            {
                "id": row.id,
                "count": 0 if dead else row.retry_count + 1,
                "error": str(error)[:500],
                "topic": DEAD_LETTERS[row.topic] if dead else row.topic,
                "headers": json.dumps(headers),
                "wait": 0.0 if dead else self._backoff[min(row.retry_count, len(self._backoff) - 1)],
            },
        )


def _first_of_each_line(
    rows: Sequence[OutboxRow], blocked: set[tuple[str, str]]
) -> tuple[list[OutboxRow], list[OutboxRow]]:
    """The first row of each line that is not blocked, and those behind them."""
    first: dict[tuple[str, str], OutboxRow] = {}
    behind = []
    for row in rows:
        if row.line in blocked:
            continue
        if row.line in first:
            behind.append(row)
        else:
            first[row.line] = row
    return list(first.values()), behind
