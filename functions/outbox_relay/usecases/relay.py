"""One pass over the outbox: lock shards, read, publish, mark; at least once, and in order for each ordering key.

crash before publishing        nothing happened; the next relay reads the same rows
crash after publishing         the rows are still unpublished: they are published again, and consumers skip them
crash after the commit         the pass is complete
two relays at the same time    an advisory lock for each shard admits one; the other takes the shards that are free

At most one record of an ordering key is unanswered at any time. So if a relay or a broker crashes, a record that
arrives late repeats one that was published already: the first appearances of a key's records are always in order.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import shuffle

from common.messaging.messages import DEAD_LETTERS
from common.messaging.outbox import SHARDS
from common.runtime.log import log
from common.stores.postgres import Connection
from functions.outbox_relay.adapters.outbox_repository import OutboxRepository
from functions.outbox_relay.domain.outbox_row import (
    BACKOFF,
    Backlog,
    OrderingKey,
    OutboxRow,
    after_rejection,
    first_of_each_key,
)
from functions.outbox_relay.domain.publisher import BrokerUnavailable, Publisher

SHARDS_AT_ONCE = SHARDS // 2  # so that two relays share a peak
# Seconds until rows that the broker could not accept are tried again: more than a pass takes that waits for no answer,
# or all the held rows would be due again when the next pass reads.
HOLD_SECONDS = 12.0
LAST_ROUND = 5.0  # seconds into a pass after which it starts no round: with its answers, before Postgres ends it


@dataclass(frozen=True)
class Pass:
    """How many rows a pass published, how many the broker rejected, how many of the published are dead letters."""

    published: int = 0
    failed: int = 0
    dead_letters: int = 0


@dataclass
class _Outcomes:
    published: list[OutboxRow] = field(default_factory=list)
    rejected: list[tuple[OutboxRow, Exception]] = field(default_factory=list)
    waiting: list[tuple[OutboxRow, BrokerUnavailable]] = field(default_factory=list)

    def add(self, row: OutboxRow, error: Exception | None) -> None:
        if error is None:
            self.published.append(row)
        elif isinstance(error, BrokerUnavailable):
            self.waiting.append((row, error))
        else:
            self.rejected.append((row, error))


class Relay:
    def __init__(
        self,
        outbox: OutboxRepository,
        publisher: Publisher,
        batch: int,
        backoff: Sequence[float] = BACKOFF,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`batch` is the most rows that a pass reads: it bounds the relay's memory."""
        self._outbox = outbox
        self._publisher = publisher
        self._batch = batch
        self._backoff = backoff
        self._clock = clock
        self._was_idle = False  # whether the last pass found nothing

    def sweep(self) -> Pass:
        """Publish one batch, of the shards that have unpublished rows and that no other relay has locked.

        While the outbox is empty, this is one read of an empty index. Raises BrokerUnavailable if nothing could be
        published: at once if the broker cannot be reached, or with the tried rows held, so that the next pass tries
        the rows behind them.
        """
        self._publisher.connect()  # before any lock: a relay that takes seconds to connect must not keep shards waiting
        # While idle it looks ten times a second, and planning the query by shard is most of the cost.
        busy = self._busy_shards() if not self._was_idle or self._outbox.has_unpublished() else []
        self._was_idle = not busy
        if not busy:
            return Pass()
        with self._outbox.transaction() as connection:
            rows = self._read(connection, self._outbox.lock_shards(connection, busy, SHARDS_AT_ONCE))
            outcomes = self._publish(rows)
            self._outbox.mark_published(connection, [row.id for row in outcomes.published])
            if outcomes.waiting:
                # A part of the broker is unavailable (a partition's leader, a topic): rows for it delay no others.
                self._outbox.hold(connection, [row.id for row, _ in outcomes.waiting], HOLD_SECONDS)
            for row, error in outcomes.rejected:
                log.error("not published", extra={"outbox_id": row.id, "topic": row.topic, "error": str(error)})
                retry = after_rejection(row, error, self._backoff)
                self._outbox.retry(connection, row.id, retry, str(error)[:500])
        if outcomes.waiting and len(outcomes.waiting) == len(rows):
            raise outcomes.waiting[0][1]
        dead_letters = sum(row.topic in DEAD_LETTERS.values() for row in outcomes.published)
        return Pass(len(outcomes.published), len(outcomes.rejected), dead_letters)

    def backlog(self) -> Backlog:
        return self._outbox.backlog()

    def _busy_shards(self) -> list[int]:
        shards = self._outbox.busy_shards()
        shuffle(shards)  # two relays start at different shards, and if a pass cannot take all, none is always last
        return shards

    def _read(self, connection: Connection, shards: Sequence[int]) -> list[OutboxRow]:
        if not shards:
            return []
        share = max(1, self._batch // len(shards))
        return self._outbox.unpublished(connection, shards, share, due=max(1, share // 2))

    def _publish(self, rows: Sequence[OutboxRow]) -> _Outcomes:
        """Rounds of at most one row for each ordering key, so that a row that fails holds back the later ones."""
        outcomes = _Outcomes()
        blocked: set[OrderingKey] = set()
        # A row that was rejected before is sent alone: the broker may reject a whole request for one record in it. Such
        # a row is always the first of its ordering key, so the order is kept.
        left = [row for row in rows if row.retry_count == 0]
        rounds = [[row] for row in rows if row.retry_count > 0]
        last = self._clock() + LAST_ROUND
        # Rows that are not tried, because the broker is unavailable or answers late, are tried in the next pass.
        while (rounds or left) and not outcomes.waiting and self._clock() < last:
            if not rounds:
                ready, left = first_of_each_key(left, blocked)
                rounds = [ready]
            round_ = rounds.pop(0)
            for row, error in zip(round_, self._publisher.publish(round_), strict=True):
                outcomes.add(row, error)
                if error is not None:
                    blocked.add(row.ordering_key)
        return outcomes
