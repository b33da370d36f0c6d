"""The broker's side of the relay: kafka-python's idempotent producer."""

from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from functions.outbox_relay.relay import BrokerAway, OutboxRow

ANSWER_SECONDS = 10


class KafkaPublisher:
    def __init__(self, bootstrap_servers: Sequence[str], security: dict[str, Any]) -> None:
        self._servers = list(bootstrap_servers)
        self._security = security
        self._producer: KafkaProducer | None = None

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        """Send all, then wait for each: `flush()` would only log what failed."""
        futures: list[Any] = []
        for row in rows:
            try:
                futures.append(
                    self._connected().send(
                        row.topic,
                        key=row.partition_key.encode(),
                        value=row.payload.encode(),
                        headers=[(name, str(value).encode()) for name, value in row.headers.items()],
                    )
                )
            except KafkaError as error:
                futures.append(error)
        return [self._outcome(future) for future in futures]

    def _outcome(self, future: Any) -> Exception | None:
        try:
            if isinstance(future, KafkaError):
                raise future
            future.get(timeout=ANSWER_SECONDS)
        except KafkaError as error:
            if error.retriable:
                # Not this record's fault. A new producer next time: this one may still send what it has buffered,
                # which is only "once more".
                self.close()
                raise BrokerAway(str(error)) from error
            return Exception(str(error))
        return None

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            try:
                self._producer = KafkaProducer(
                    bootstrap_servers=self._servers,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=0,
                    request_timeout_ms=5_000,
                    delivery_timeout_ms=8_000,
                    max_block_ms=5_000,
                    bootstrap_timeout_ms=3_000,
                    **self._security,
                )
            except KafkaError as error:
                raise BrokerAway(str(error)) from error
        return self._producer

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None
