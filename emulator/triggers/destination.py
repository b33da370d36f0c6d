"""Where a Kafka event source mapping sends the batches that it gives up.

Lambda developer guide, "Capturing discarded batches for Amazon MSK and self-managed Apache Kafka event sources" and
"Using a Kafka topic as an on-failure destination".
"""

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError

from emulator.stack import KafkaSource, StackError
from emulator.triggers import kafka_event
from emulator.triggers.kafka_event import Record
from emulator.triggers.sqs import Queue, QueueError


class DestinationError(Exception):
    """The destination did not accept a batch."""


@dataclass(frozen=True)
class DiscardedBatch:
    """A batch of one partition that was given up."""

    records: Sequence[Record]
    condition: str  # "RetryAttemptsExhausted", "RecordAgeExceeded", "MaximumPayloadSizeExceeded"
    invocations: int
    function_error: str | None  # "Unhandled"; None if the function did not answer


class Destination(Protocol):
    """Receives batches that were given up."""

    async def send(self, batch: DiscardedBatch) -> None:
        """Raises DestinationError."""

    async def close(self) -> None:
        """Closes connections."""


def open_destination(
    address: str, source: KafkaSource, function_arn: str, bootstrap: Sequence[str], aws_url: str | None
) -> Destination:
    """Raises StackError if it needs an AWS endpoint and there is none."""
    records = _FailureRecords(source, function_arn, bootstrap)
    if address.startswith("kafka://"):
        return _Topic(address.removeprefix("kafka://"), bootstrap, records)
    if aws_url is None:
        raise StackError(
            f"Resources.{source.name}.Properties.DestinationConfig.OnFailure.Destination: {address} needs an AWS"
            " endpoint: the service aws"
        )
    return _SqsQueue(Queue(address, aws_url), records)


class _SqsQueue:
    """Sends metadata only: where in the topic the records are."""

    def __init__(self, queue: Queue, records: "_FailureRecords") -> None:
        self._queue, self._failure_records = queue, records

    async def send(self, batch: DiscardedBatch) -> None:
        try:
            await self._queue.send(json.dumps(self._failure_records.of_batch(batch)))
        except QueueError as error:
            raise DestinationError(str(error)) from error

    async def close(self) -> None:
        """Each message uses its own connection."""


class _Topic:
    """Sends one message for each record, with the record's content and key."""

    def __init__(self, topic: str, bootstrap: Sequence[str], records: "_FailureRecords") -> None:
        self._topic, self._bootstrap, self._failure_records = topic, list(bootstrap), records
        self._producer: KafkaProducer | None = None

    async def send(self, batch: DiscardedBatch) -> None:
        try:
            await asyncio.to_thread(self._produce, batch)
        except (KafkaError, OSError) as error:
            raise DestinationError(f"kafka://{self._topic}: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        if self._producer:
            await asyncio.to_thread(self._producer.close, timeout=2)

    def _produce(self, batch: DiscardedBatch) -> None:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._bootstrap,
                bootstrap_timeout_ms=5000,
                max_block_ms=5000,
                request_timeout_ms=5000,
                delivery_timeout_ms=10_000,
            )
        records = [(record.key, json.dumps(self._failure_records.of_record(batch, record))) for record in batch.records]
        sent = [self._producer.send(self._topic, record.encode(), key=key) for key, record in records]
        for future in sent:
            future.get(timeout=10)


class _FailureRecords:
    """The documents in which Lambda describes a batch that it gave up."""

    def __init__(self, source: KafkaSource, function_arn: str, bootstrap: Sequence[str]) -> None:
        self._source, self._function_arn, self._bootstrap = source, function_arn, bootstrap

    def of_batch(self, batch: DiscardedBatch) -> dict[str, Any]:
        first, last = batch.records[0], batch.records[-1]
        span = {
            "firstRecordOffset": str(first.offset),
            "lastRecordOffset": str(last.offset),
            "firstRecordTimestamp": _time(first.timestamp),
            "lastRecordTimestamp": _time(last.timestamp),
        }
        return self._record(batch, batch.records, {"recordsInfo": {f"{first.topic}-{first.partition}": span}})

    def of_record(self, batch: DiscardedBatch, record: Record) -> dict[str, Any]:
        info = {"recordInfo": {"offset": str(record.offset), "timestamp": _time(record.timestamp)}}
        payload = json.loads(kafka_event.event(self._source, self._bootstrap, [record]))
        return {**self._record(batch, [record], info), "payload": payload}

    def _record(self, batch: DiscardedBatch, records: Sequence[Record], info: dict[str, Any]) -> dict[str, Any]:
        arn = {"eventSourceArn": self._source.source_arn} if self._source.source_arn else {}
        response = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": batch.function_error}
        return {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self._function_arn,
                "condition": batch.condition,
                "approximateInvokeCount": batch.invocations,
            },
            "responseContext": response if batch.invocations else None,
            "version": "1.0",
            "timestamp": _time(datetime.now(UTC).timestamp() * 1000),
            "KafkaBatchInfo": {
                "batchSize": len(records),
                **arn,
                "bootstrapServers": ",".join(self._bootstrap),
                "payloadSize": len(kafka_event.event(self._source, self._bootstrap, records)),
                **info,
            },
        }


def _time(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
