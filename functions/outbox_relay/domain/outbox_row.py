"""A message of the outbox that waits to be published, and what happens to one that the broker rejects."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.messaging.messages import DEAD_LETTERS

BACKOFF = (1.0, 2.0, 4.0)  # seconds before each retry of a rejected message; after the last it becomes a dead letter

OrderingKey = tuple[str, str]


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
        """What is sent. A dead letter that even its topic rejected is sent empty: a header says which row has it."""
        return "" if "outbox_id" in self.headers else self.payload

    @property
    def ordering_key(self) -> OrderingKey:
        """Rows with the same ordering key are published in order."""
        return self.topic, self.partition_key


@dataclass(frozen=True)
class Backlog:
    lag: int  # unpublished rows, counted up to a bound
    oldest_seconds: float  # how long the oldest of them has waited; 0 if there are none


@dataclass(frozen=True)
class Retry:
    """How a rejected row is tried again."""

    topic: str
    retry_count: int
    headers: dict[str, str]  # to add
    wait_seconds: float


def after_rejection(row: OutboxRow, error: Exception, backoff: Sequence[float]) -> Retry:
    """The row waits, and its ordering key with it. After the last retry it is sent to its dead-letter topic instead."""
    is_dead = row.retry_count >= len(backoff) and row.topic in DEAD_LETTERS
    if is_dead:
        headers = {"topic": row.topic, "reason": str(error)[:200]}
        return Retry(DEAD_LETTERS[row.topic], retry_count=0, headers=headers, wait_seconds=0.0)
    # Too large even for the dead-letter topic: redrive reads the message from its row.
    headers = {"outbox_id": str(row.id)} if row.topic in DEAD_LETTERS.values() else {}
    wait_seconds = backoff[min(row.retry_count, len(backoff) - 1)]
    return Retry(row.topic, row.retry_count + 1, headers, wait_seconds)


def first_of_each_key(rows: Sequence[OutboxRow], blocked: set[OrderingKey]) -> tuple[list[OutboxRow], list[OutboxRow]]:
    """The first row of each ordering key that is not blocked, and the rows behind them."""
    first: dict[OrderingKey, OutboxRow] = {}
    behind = []
    for row in rows:
        if row.ordering_key in blocked:
            continue
        if row.ordering_key in first:
            behind.append(row)
        else:
            first[row.ordering_key] = row
    return list(first.values()), behind
