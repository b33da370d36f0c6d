"""The broker's side of the relay: kafka-python's idempotent producer."""

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

from functions.outbox_relay.usecases.relay import BrokerAway, OutboxRow

ANSWER_SECONDS = 8.0
# Whatever else goes wrong (a leader moves, a login lapses, a topic is not there yet) is no fault of the record's.
RECORDS_FAULT = (
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
        """Returns when all is answered or the time is over: each future tells what became of its record.

        KafkaProducer's own raises, out of its `close()` too, which then leaves its thread and connections behind.
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
        """Send all, then ask what became of each: `flush()` would only log it."""
        producer = self._connected()
        silent: dict[str, Exception] = {}  # topics that gave no answer: asking again for each row would add up
        deadline = time.monotonic() + ANSWER_SECONDS
        sent = [silent.get(row.topic) or self._send(producer, row, silent) for row in rows]
        producer.flush(timeout=max(0.0, deadline - time.monotonic()))  # now, in as few requests as they fit in
        outcomes = [self._outcome(each, deadline) for each in sent]
        if any(isinstance(outcome, BrokerAway) for outcome in outcomes):
            # This one may still send what it has buffered, which is only "once more"; the next knows nothing of it.
            self.close()
        return outcomes

    def _send(self, producer: _Producer, row: OutboxRow, silent: dict[str, Exception]) -> Any:
        """The future of its answer, or why there is none."""
        try:
            return producer.send(
                row.topic,
                key=row.partition_key.encode(),
                value=row.value.encode(),
                headers=[(name, str(value).encode()) for name, value in row.headers.items()],
            )
        except RECORDS_FAULT as error:
            return error
        except KafkaError as error:
            silent[row.topic] = error
            return error

    def _outcome(self, sent: Any, deadline: float) -> Exception | None:
        try:
            if isinstance(sent, Exception):
                raise sent
            sent.get(timeout=max(0.0, deadline - time.monotonic()))
        except RECORDS_FAULT as error:
            return error
        except KafkaError as error:
            return BrokerAway(f"{type(error).__name__}: {error}")
        return None

    def connect(self) -> None:
        try:
            self._connected()
        except KafkaError as error:
            raise BrokerAway(f"{type(error).__name__}: {error}") from error

    def _connected(self) -> _Producer:
        if self._producer is None:
            self._producer = _Producer(
                **self._connection,
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,  # a name misspelt is to be seen
                linger_ms=50,  # never waited for: `flush` sends what there is
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
