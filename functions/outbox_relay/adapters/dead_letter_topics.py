"""The dead-letter topics, read from Kafka without a consumer group."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from common.messaging.messages import DEAD_LETTERS
from functions.outbox_relay.domain.dead_letter import DeadLetter
from functions.outbox_relay.domain.publisher import BrokerUnavailable

NEWEST = 10_000  # how many letters of each partition are read


class DeadLetterTopics:
    def __init__(self, connection: Mapping[str, Any]) -> None:
        """`connection` is what kafka-python takes: `bootstrap_servers` and the like."""
        self._connection = connection

    def read(self) -> Iterable[DeadLetter]:
        """The newest letters of every partition. Raises BrokerUnavailable."""
        try:
            consumer = KafkaConsumer(
                **self._connection,
                group_id=None,  # reading changes nothing
                enable_auto_commit=False,
                bootstrap_timeout_ms=3_000,
                allow_auto_create_topics=False,
            )
        except KafkaError as error:
            raise BrokerUnavailable(str(error)) from error
        try:
            yield from _letters(consumer)
        except KafkaError as error:
            raise BrokerUnavailable(str(error)) from error
        finally:
            consumer.close()


def _letters(consumer: Any) -> Iterable[DeadLetter]:
    partitions = [
        TopicPartition(topic, number)
        for topic in sorted(set(DEAD_LETTERS.values()))
        for number in consumer.partitions_for_topic(topic) or ()
    ]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    for partition, first in consumer.beginning_offsets(partitions).items():
        consumer.seek(partition, max(first, ends[partition] - NEWEST))
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for records in consumer.poll(timeout_ms=1_000).values():
            yield from map(_letter, records)


def _letter(record: Any) -> DeadLetter:
    def text(raw: bytes | None) -> str:
        return (raw or b"").decode("utf-8", "replace")

    return DeadLetter(
        dlq=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=text(record.key),
        value=text(record.value),
        headers={name: text(value) for name, value in record.headers},
    )
