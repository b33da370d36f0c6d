"""Publishes to Kafka with kafka-python's idempotent producer."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
)

from functions.outbox_relay.domain.outbox_row import OutboxRow
from functions.outbox_relay.domain.publisher import BrokerUnavailable

ANSWER_SECONDS = 8.0
# Any other error (a leader moves, a login expires, a topic does not exist yet) is not caused by the record.
RECORD_ERRORS = (
    InvalidRecordError,
    InvalidTimestampError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
    TypeError,
    ValueError,
)


class _Producer(KafkaProducer):  # type: ignore[misc]
    def flush(self, timeout: float | None = None) -> None:
        """Returns when every record is answered or the time is over: each future has its record's outcome.

        KafkaProducer's own method raises, in `close()` too, which then leaves its thread and connections open.
        """
        with suppress(KafkaError):
            super().flush(timeout)


class KafkaPublisher:
    def __init__(self, connection: Mapping[str, Any], connect_seconds: float = 10) -> None:
        """`connection` is what kafka-python takes: `bootstrap_servers`, `security_protocol` and the like."""
        self._connect_seconds = connect_seconds
        self._connection = connection
        self._producer: _Producer | None = None

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        """Send all, then read each outcome: `flush()` would only log it."""
        producer = self._connected()
        silent: dict[str, Exception] = {}  # topics that did not answer: the waits for each row would add up
        deadline = time.monotonic() + ANSWER_SECONDS
        sent = [silent.get(row.topic) or self._send(producer, row, silent) for row in rows]
        producer.flush(timeout=max(0.0, deadline - time.monotonic()))  # now, in as few requests as possible
        outcomes = [self._outcome(each, deadline) for each in sent]
        if any(isinstance(outcome, BrokerUnavailable) for outcome in outcomes):
            # This producer may still send what it has buffered, which is only a repeat; the next one starts empty.
            self.close()
        return outcomes

    def _send(self, producer: _Producer, row: OutboxRow, silent: dict[str, Exception]) -> Any:
        """The future of its answer, or the error that prevents one."""
        try:
            return producer.send(
                row.topic,
                key=row.partition_key.encode(),
                value=row.value.encode(),
                headers=[(name, str(value).encode()) for name, value in row.headers.items()],
            )
        except RECORD_ERRORS as error:
            return error
        except KafkaError as error:
            silent[row.topic] = error
            return error

    def _outcome(self, sent: Any, deadline: float) -> Exception | None:
        try:
            if isinstance(sent, Exception):
                raise sent
            sent.get(timeout=max(0.0, deadline - time.monotonic()))
        except RECORD_ERRORS as error:
            return error
        except KafkaError as error:
            return BrokerUnavailable(f"{type(error).__name__}: {error}")
        return None

    def connect(self) -> None:
        try:
            self._connected()
        except KafkaError as error:
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error

    def _connected(self) -> _Producer:
        if self._producer is None:
            self._producer = _Producer(
                **self._connection,
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,  # a misspelt name must be noticed
                linger_ms=50,  # never waited for: `flush` sends at once
                batch_size=256 * 1024,
                request_timeout_ms=5_000,
                delivery_timeout_ms=7_000,
                max_block_ms=2_000,
                bootstrap_timeout_ms=self._connect_seconds * 1000,
            )
        return self._producer

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None
