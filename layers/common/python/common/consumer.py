"""An idempotent Kafka consumer behind an event source mapping: each message takes effect once (EVT-016, RSV-004).

`processed_events` and the effect commit together, so a message that comes again, after a crash or a rebalance, finds
itself done. What fails for want of a store is reported and comes again; what can never succeed is rolled back and
becomes a dead letter, through the outbox, once, so that it is neither lost nor in the way (EVT-024).
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from pydantic import ValidationError

from common.log import log
from common.messages import DEAD_LETTERS, Envelope, Payload
from common.metrics import emit
from common.outbox import shard_of
from common.postgres import Connection, Database
from common.problem import Refusal
from common.trace import causation_id, trace_id

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
    def checksum(self) -> int:
        return crc32(self.value.encode())

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
        try:
            message = Envelope.model_validate_json(record.value)
            kind, handle = self._handlers.get(message.event_type, (None, None))
            payload = kind.model_validate(message.payload) if kind else None
        except ValidationError as error:
            self._bury(record, f"unreadable: {error.error_count()} faults")
            return
        if payload is None or handle is None:
            return
        log.append_keys(trace_id=message.metadata.correlation_id)
        trace_id.set(message.metadata.correlation_id)
        causation_id.set(str(message.event_id))
        try:
            after_commit = self._once(message, lambda connection: handle(connection, message, payload))
        except Refusal as refusal:
            self._bury(record, f"refused: {refusal}")
            return
        if after_commit is not None:
            after_commit()

    def _once(self, message: Envelope, effect: Callable[[Connection], AfterCommit | None]) -> AfterCommit | None:
        with self._database.transaction() as connection:
            fresh = connection.execute(
                "INSERT INTO common.processed_events (consumer, message_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (self._name, message.event_id),
            ).rowcount
            after_commit = effect(connection) if fresh else None
        _count(self._name, message.event_type, "Applied" if fresh else "Repeated")
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
                # With its checksum: a broker that lost its log counts offsets from 0 again.
                "origin": f"{consumer}/{record.topic}/{record.partition}/{record.offset}/{record.checksum}",
            },
        )


def _count(consumer: str, event_type: str, what: str) -> None:
    emit({"consumer": consumer, "event_type": event_type}, **{what: 1})
