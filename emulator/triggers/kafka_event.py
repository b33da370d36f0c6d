"""The event that a Kafka event source mapping sends to a function, and the response that it expects.

Lambda developer guide, "Using Lambda with Amazon MSK" and "… with self-managed Apache Kafka".
"""

import base64
import json
from collections.abc import Sequence
from typing import Any, Protocol

from emulator.stack import KafkaSource


class Record(Protocol):
    """One Kafka record, as kafka-python gives it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def timestamp_type(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class InvalidBatchResponse(Exception):
    """The function's response does not name records of its batch: Lambda then counts the whole batch as failed."""


def event(source: KafkaSource, bootstrap: Sequence[str], records: Sequence[Record]) -> bytes:
    """The event for one batch."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(f"{record.topic}-{record.partition}", []).append(_record(record))
    body: dict[str, Any] = {"eventSource": "aws:kafka" if source.source_arn else "SelfManagedKafka"}
    if source.source_arn:
        body["eventSourceArn"] = source.source_arn
    return json.dumps({**body, "bootstrapServers": ",".join(bootstrap), "records": groups}).encode()


def size(record: Record) -> int:
    """About how many bytes a record adds to the event."""
    return (
        300
        + (len(record.key or b"") + len(record.value or b"")) * 4 // 3
        + sum(len(name) + 4 * len(value or b"") for name, value in record.headers)
    )


def first_failed(payload: bytes, records: Sequence[Record]) -> int | None:
    """The lowest offset that the response reports as failed (ReportBatchItemFailures); None for success.

    `records` belong to one partition. Raises InvalidBatchResponse.
    """
    try:
        response = json.loads(payload or b"null")
        failures = (response or {}).get("batchItemFailures") or []
        named = [(item["itemIdentifier"]["partition"], item["itemIdentifier"]["offset"]) for item in failures]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidBatchResponse(f"not a list of batchItemFailures: {payload[:200]!r}") from error
    known = {(f"{record.topic}-{record.partition}", record.offset) for record in records}
    unknown = [name for name in named if name not in known]
    if unknown:
        raise InvalidBatchResponse(f"batchItemFailures names {unknown[0]}, which is not in the batch")
    return min((offset for _, offset in named), default=None)


def _record(record: Record) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "timestampType": "LOG_APPEND_TIME" if record.timestamp_type == 1 else "CREATE_TIME",
        "key": _base64(record.key),
        "value": _base64(record.value),
        "headers": [{name: list(value or b"")} for name, value in record.headers],
    }


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
