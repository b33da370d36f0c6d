"""An idempotent Kafka consumer behind an event source mapping: each message takes effect once (EVT-016, RSV-004).

The row in `processed_events` and the effect commit together. If the process crashes before the commit, the message is
delivered again and applied; if it crashes after it, the repeated message finds its row and is skipped.

A message can fail in three ways:

a store or another service is unavailable   its offset is not committed, and it is delivered again until it succeeds
it can never succeed                        unreadable, or a rule rejects it: a dead letter at once
anything else, a bug of ours                delivered again three times, after 1, 2 and 4 s; then a dead letter

A dead letter is written through the outbox, once, so that it is not lost and does not block its partition (EVT-024).
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

MOST_RETRIES = 3  # of a message that fails because of a bug of ours

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
        """Names the record for ever: with its checksum, as a broker that lost its log counts offsets from 0 again."""
        return f"{self.topic}/{self.partition}/{self.offset}/{crc32(self.value.encode())}"

    @classmethod
    def decode(cls, raw: Mapping[str, Any]) -> "Record":
        def text(name: str) -> str:
            return b64decode(raw.get(name) or "").decode("utf-8", "replace")

        return cls(raw["topic"], int(raw["partition"]), int(raw["offset"]), text("key"), text("value"))


class Consumer:
    """`Consumer("reservations", database, {PaymentSuccess: confirm})` is a Lambda handler.

    `name` separates its effects from those of other consumers of the same message. A handler runs inside the
    transaction. What it returns, if anything, runs after the commit; a crash may lose it, and that must do no harm.
    """

    def __init__(self, name: str, database: Database, handlers: Mapping[type[Payload], Handle]) -> None:
        self._name = name
        self._database = database
        self._handlers = {kind.__name__: (kind, handle) for kind, handle in handlers.items()}

    @property
    def reads(self) -> Collection[type[Payload]]:
        """The messages it handles; it skips the others on its topic."""
        return [kind for kind, _ in self._handlers.values()]

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Apply a batch. Returns what to deliver again (AWS: partial batch responses for Kafka)."""
        failures = []
        for partition, raw_records in event["records"].items():
            for record in map(Record.decode, raw_records):
                try:
                    self._apply(record)
                except Exception:
                    # The rest of this partition waits behind it, to keep the order; other partitions continue.
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
                return  # for other consumers
            payload = read(kind, message)
        except (ValidationError, UnknownVersion) as error:
            reason = f"{error.error_count()} faults" if isinstance(error, ValidationError) else str(error)
            self._send_to_dead_letter(record, f"unreadable: {reason}")
            return
        log.append_keys(trace_id=message.metadata.correlation_id)
        trace_id.set(message.metadata.correlation_id)
        causation_id.set(str(message.event_id))
        try:
            after_commit = self._once(message, lambda connection: handle(connection, message, payload))
        except DomainError as error:
            if error.retryable:
                raise  # another service is unavailable: the same as a store
            self._send_to_dead_letter(record, f"rejected: {error}")
            return
        except StoreUnavailable:
            raise
        except Exception as error:
            self._count_failure(record, error)
            return
        if after_commit is not None:
            after_commit()

    def _count_failure(self, record: Record, error: Exception) -> None:
        """A bug of ours, which another deploy or a retry may fix: counted, and raised until the retries are used up."""
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
        if row is None or row["attempts"] <= MOST_RETRIES:
            raise error
        log.exception("failed for good", exc_info=error)
        self._send_to_dead_letter(record, f"failed: {name}")

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

    def _send_to_dead_letter(self, record: Record, reason: str) -> None:
        log.error("dead letter", extra={"topic": record.topic, "offset": record.offset, "reason": reason})
        send_to_dead_letter(self._database, self._name, record, reason)
        _count(self._name, record.topic, "DeadLetters")


def send_to_dead_letter(database: Database, consumer: str, record: Record, reason: str) -> None:
    """Put a record on its dead-letter topic, once: a batch that is delivered again adds no second letter."""
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
