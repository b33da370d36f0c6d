"""Reads a topic: all records, or only new ones."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from kafka import KafkaConsumer, TopicPartition


class Topic:
    """A context manager. `read` returns the records of all partitions, in order within each: those published after
    this object was created, or with `whole` all."""

    def __init__(self, servers: Sequence[str], topic: str, *, whole: bool = False) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=list(servers), group_id=None, enable_auto_commit=False)
        self._partitions = [TopicPartition(topic, each) for each in sorted(self._consumer.partitions_for_topic(topic))]
        self._consumer.assign(self._partitions)
        (self._consumer.seek_to_beginning if whole else self._consumer.seek_to_end)(*self._partitions)
        # Tansu's end offset is after the first record of the last batch, not after all of its records.
        while not whole and self._consumer.poll(timeout_ms=200):
            pass
        self._from = {each: self._consumer.position(each) for each in self._partitions}

    def read(self) -> list[Any]:
        ends = self._consumer.end_offsets(self._partitions)
        found: list[Any] = []
        for partition in self._partitions:
            self._consumer.seek(partition, self._from[partition])
        while any(self._consumer.position(each) < ends[each] for each in self._partitions):
            for records in self._consumer.poll(timeout_ms=1000).values():
                found.extend(records)
        return found

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> "Topic":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
