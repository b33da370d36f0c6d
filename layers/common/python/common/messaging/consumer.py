"""An idempotent Kafka consumer behind an event source mapping: each message takes effect once (EVT-016, RSV-004).

`processed_events` and the effect commit together, so a message that comes again, after a crash or a rebalance, finds
itself done. A failure is one of three:

a store or another service is away   the offset is left and the message comes again, until it is back
it can never succeed                 unreadable, or refused by a rule: a dead letter at once
anything else, a fault of ours       comes again three times, after 1, 2 and 4 s; then a dead letter

A dead letter is written through the outbox, once, so that it is neither lost nor in the way (EVT-024).
"""

from base64 import b64decode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from pydantic import ValidationError

from common.domain.shared_errors import DomainError, StoreUnavailable
from common.messaging.messages import DEAD_LETTERS, Envelope, Payload, UnknownVersion, read
from common.messaging.outbox import shard_of
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.trace import causation_id, trace_id
from common.stores.postgres import Connection, Database

REPEATS = 3  # of a message that fails by a fault of ours

AfterCommit = Callable[[], None]
Handle = Callable[[Connection, Envelope, Any], AfterCommit | None]


@dataclass(frozen=True)
class Record:
    """One Kafka record of an event source mapping's batch."""

    topic: str
    partition: int
    offset: int
    key: str
    value: str

    @property
    def place(self) -> str:
        """Where it is, for good: with its checksum, as a broker that lost its log counts offsets from 0 again."""
        return f"{self.topic}/{self.partition}/{self.offset}/{crc32(self.value.encode())}"

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Record":
        def text(name: str) -> str:
            return b64decode(raw.get(name) or "").decode("utf-8", "replace")

        return cls(raw["topic"], int(raw["partition"]), int(raw["offset"]), text("key"), text("value"))


class Consumer:
    """`Consumer("reservations", database, {PaymentSuccess: confirm})` is a Lambda handler.

    `name` tells its effects apart from other consumers' of the same message. A handler runs inside the transaction;
    what it returns, if anything, runs after the commit and must be harmless to lose.
    """

    def __init__(self, name: str, database: Database, handlers: Mapping[type[Payload], Handle]) -> None:
        self._name = name
        self._database = database
        self._handlers = {kind.__name__: (kind, handle) for kind, handle in handlers.items()}

    @property
    def reads(self) -> Collection[type[Payload]]:
        """The messages it acts on; others of its topic are somebody else's."""
        return [kind for kind, _ in self._handlers.values()]

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Apply a batch; answer what to send again (AWS: partial batch responses for Kafka)."""
        failures = []
        for partition, raw_records in event["records"].items():
            for record in map(Record.of, raw_records):
                try:
                    self._apply(record)
                except Exception:
                    # The rest of this partition waits behind it, for order's sake; other partitions go on.
                    log.exception("will be retried", extra={"partition": partition, "offset": record.offset})
                    failures.append({"itemIdentifier": {"partition": partition, "offset": record.offset}})
                    break
        return {"batchItemFailures": failures}

    def _apply(self, record: Record) -> None:
        log.append_keys(trace_id="")
        try:
            message = Envelope.model_validate_json(record.value)
            kind, handle = self._handlers.get(message.event_type, (None, None))
            if kind is None or handle is None:
                return  # somebody else's
            payload = read(kind, message)
        except (ValidationError, UnknownVersion) as error:
            why = f"{error.error_count()} faults" if isinstance(error, ValidationError) else str(error)
            self._bury(record, f"unreadable: {why}")
            return
        log.append_keys(trace_id=message.metadata.correlation_id)
        trace_id.set(message.metadata.correlation_id)
        causation_id.set(str(message.event_id))
        try:
            after_commit = self._once(message, lambda connection: handle(connection, message, payload))
        except DomainError as refusal:
            if refusal.retryable:
                raise  # another service is away: as with a store
            self._bury(record, f"refused: {refusal}")
            return
        except StoreUnavailable:
            raise
        except Exception as error:
            self._failed(record, error)
            return
        if after_commit is not None:
            after_commit()

    def _failed(self, record: Record, error: Exception) -> None:
        """A fault of ours, which another deploy or another moment may mend: counted, and raised until it is enough."""
        origin, name = f"{self._name}/{record.place}", type(error).__name__
        with self._database.transaction() as connection:
            row = connection.execute(
                """
                INSERT INTO common.failed_attempts AS known (origin, attempts, last_error) VALUES (%s, 1, %s)
                ON CONFLICT (origin) DO UPDATE
                   SET attempts = known.attempts + 1, last_error = excluded.last_error, failed_at = now()
                RETURNING attempts
                """,
                (origin, name),
            ).fetchone()
        if row is None or row["attempts"] <= REPEATS:
            raise error
        log.exception("failed for good", exc_info=error)
        self._bury(record, f"failed: {name}")

    def _once(self, message: Envelope, effect: Callable[[Connection], AfterCommit | None]) -> AfterCommit | None:
        with self._database.transaction() as connection:
            fresh = connection.execute(
                "INSERT INTO common.processed_events (consumer, message_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (self._name, message.event_id),
            ).rowcount
            after_commit = effect(connection) if fresh else None
        outcome = "Applied" if fresh else "Repeated"
        _count(self._name, message.event_type, outcome)
        log.info(outcome.lower(), extra={"event_type": message.event_type, "aggregate_id": message.aggregate_id})
        return after_commit

    def _bury(self, record: Record, reason: str) -> None:
        log.error("dead letter", extra={"topic": record.topic, "offset": record.offset, "reason": reason})
        bury(self._database, self._name, record, reason)
        _count(self._name, record.topic, "DeadLetters")


def bury(database: Database, consumer: str, record: Record, reason: str) -> None:
    """Put a record on its dead-letter topic, once: a batch that comes again buries nothing twice."""
    with database.transaction() as connection:
        connection.execute(
            """
            INSERT INTO common.outbox_events
                   (message_id, topic, partition_key, shard, aggregate_type, event_type, payload, headers, origin)
            VALUES (gen_random_uuid(), %(dlq)s, %(key)s, %(shard)s, 'DeadLetter', 'DeadLetter', %(value)s,
                    jsonb_build_object('reason', %(reason)s::text, 'topic', %(topic)s::text,
                                       'partition', %(partition)s::text, 'offset', %(offset)s::text,
                                       'consumer', %(consumer)s::text),
                    %(origin)s)
            ON CONFLICT (origin) DO NOTHING
            """,
            {
                "dlq": DEAD_LETTERS[record.topic],
                "key": record.key,
                "shard": shard_of(record.key),
                "value": record.value.replace("\x00", "\ufffd"),
                "reason": reason,
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "consumer": consumer,
                "origin": f"{consumer}/{record.place}",
            },
        )


def _count(consumer: str, event_type: str, what: str) -> None:
    emit({"consumer": consumer, "event_type": event_type}, **{what: 1})
