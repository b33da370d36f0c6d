"""Reads the records of all Kafka event source mappings: one connection to fetch, one to commit.

Mappings of one topic share what is fetched. Each commits in its own group. For a mapping that falls behind, records are
read again from its offset, so a slow mapping does not delay the others.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, NoError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from emulator.activity import Activity
from emulator.triggers.kafka import KafkaTrigger
from emulator.triggers.kafka_partition import PartitionWorker

_log = logging.getLogger(__name__)

# Apache Kafka answers a waiting fetch when records arrive, Tansu after about half of this time.
_FETCH_WAIT = 100  # milliseconds
_AWAKE = 5.0  # seconds without records and without activity, before it slows down
_REST = 1.0  # seconds between two polls while idle
_RETRY = 1.0  # seconds before it looks again for a missing topic


class KafkaReader:
    """Reads for its mappings from `start` to `close`."""

    def __init__(
        self, bootstrap: Sequence[str], triggers: Sequence[KafkaTrigger], activity: Activity | None = None
    ) -> None:
        """Polls less often while `activity` shows that the stack is not used; always at full rate without one."""
        self._bootstrap = list(bootstrap)
        self.triggers = list(triggers)
        self._activity = activity
        self._stopping = threading.Event()
        self._used = time.monotonic()  # when records last came, or were under way
        self._next_assignment = 0.0  # when to look for missing topics again
        # A thread, since the Kafka clients block; only it uses them.
        self._thread = threading.Thread(target=self._run, name="kafka-reader", daemon=True)

    async def start(self) -> None:
        """Starts and returns; waits in the background for an unavailable broker."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Stops reading, abandons batches in progress, and commits what is done."""
        self._stopping.set()
        if self._activity:
            self._activity.note()  # wakes it
        await asyncio.gather(*(trigger.close() for trigger in self.triggers))
        await asyncio.to_thread(self._thread.join, 10)

    def fresh_copy(self) -> "KafkaReader":
        """A new reader for the same mappings, without offsets."""
        return KafkaReader(self._bootstrap, [trigger.fresh_copy() for trigger in self.triggers], self._activity)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with contextlib.closing(self._consumer()) as consumer, contextlib.closing(self._admin()) as admin:
                    self._read_until_stopped(consumer, admin)
            except (KafkaError, OSError) as error:
                trouble = str(error) or type(error).__name__
                _log.warning("kafka: %s", trouble)
                for trigger in self.triggers:
                    trigger.trouble = trouble
                self._stopping.wait(1)

    def _consumer(self) -> "KafkaConsumer":
        return KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",  # each mapping has its own position
            max_poll_records=max(500, *(trigger.source.batch_size for trigger in self.triggers)),
            fetch_max_wait_ms=_FETCH_WAIT,
            bootstrap_timeout_ms=5000,
        )

    def _admin(self) -> "KafkaAdminClient":
        return KafkaAdminClient(bootstrap_servers=self._bootstrap, bootstrap_timeout_ms=5000)

    def _read_until_stopped(self, consumer: "KafkaConsumer", admin: "KafkaAdminClient") -> None:
        self._next_assignment = 0.0
        while not self._stopping.is_set():
            if time.monotonic() >= self._next_assignment:
                self._assign(consumer, admin)
            try:
                # Only records end a poll early: poll briefly if a commit may be due or the reader may rest.
                found = consumer.poll(timeout_ms=50 if self._busy() or self._may_rest() else 2 * _FETCH_WAIT)
            except OffsetOutOfRangeError as error:
                self._restart(consumer, error.args[0])
                continue
            for partition, records in found.items():
                for worker in self._workers_of(partition):
                    worker.offer(records)
            self._update_and_commit(consumer, admin)
            if found or self._busy():
                self._used = time.monotonic()
            elif self._may_rest():
                assert self._activity
                self._activity.wait(_REST)
        self._commit(admin)

    def _busy(self) -> bool:
        return any(worker.busy for trigger in self.triggers for worker in trigger.workers.values())

    def _may_rest(self) -> bool:
        return (
            self._activity is not None
            and not self._activity.within(_AWAKE)
            and time.monotonic() - self._used > _AWAKE
            and not self._stopping.is_set()
        )

    def _workers_of(self, partition: "TopicPartition") -> Iterator[PartitionWorker]:
        for trigger in self.triggers:
            if trigger.source.topic == partition.topic and partition.partition in trigger.workers:
                yield trigger.workers[partition.partition]

    def _assign(self, consumer: "KafkaConsumer", admin: "KafkaAdminClient") -> None:
        """Starts the partitions of each mapping whose topic exists, and reads from the mappings' offsets."""
        missing = False
        for trigger in self.triggers:
            numbers = None if trigger.workers else consumer.partitions_for_topic(trigger.source.topic)
            if numbers:
                partitions = [TopicPartition(trigger.source.topic, number) for number in sorted(numbers)]
                positions = _positions(consumer, admin, trigger, partitions)
                # Otherwise a mapping that starts at the end would start at a later end after a restart.
                _commit(admin, trigger.source.group, positions)
                trigger.start_partitions(
                    {partition.partition: offset for partition, offset in positions.items()}, self._loop
                )
            trigger.trouble = None if trigger.workers else f"there is no topic {trigger.source.topic}"
            missing = missing or not trigger.workers
        self._next_assignment = time.monotonic() + _RETRY if missing else float("inf")
        self._read(consumer)

    def _read(self, consumer: "KafkaConsumer", again: frozenset["TopicPartition"] = frozenset()) -> None:
        """Reads only partitions that some mapping accepts; those in `again` from the mappings' offsets.

        A partition that no mapping accepts now is unassigned, not paused: kafka-python 3.0.12 may never resume one that
        was paused with buffered records (`Fetcher.fetched_records` restores them only if nothing else was read last).
        """
        starts: dict[TopicPartition, int] = {}
        for trigger in self.triggers:
            for number, worker in trigger.workers.items():
                if worker.readable:
                    partition = TopicPartition(trigger.source.topic, number)
                    starts[partition] = min(worker.received, starts.get(partition, worker.received))
        if starts.keys() != consumer.assignment():
            # Assigned, not subscribed: these groups have no other members, and joining one takes time.
            consumer.assign(sorted(starts))
            again = frozenset(starts)
        for partition in again & starts.keys():
            consumer.seek(partition, starts[partition])

    def _restart(self, consumer: "KafkaConsumer", lost: Sequence["TopicPartition"]) -> None:
        """The broker no longer has these offsets: each mapping continues at its StartingPosition."""
        for partition in lost:
            first, last = consumer.beginning_offsets([partition]), consumer.end_offsets([partition])
            workers = [
                (trigger.workers[partition.partition], last if trigger.source.starting_position == "LATEST" else first)
                for trigger in self.triggers
                if trigger.source.topic == partition.topic and partition.partition in trigger.workers
            ]
            for worker, offsets in workers:
                if not first[partition] <= worker.received <= last[partition]:
                    worker.restart(offsets[partition])
            consumer.seek(partition, min(worker.received for worker, _ in workers))

    def _update_and_commit(self, consumer: "KafkaConsumer", admin: "KafkaAdminClient") -> None:
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            for worker in self._workers_of(partition):
                worker.end = worker.end if end is None else end
        late = set()
        for trigger in self.triggers:
            for number, worker in trigger.workers.items():
                if worker.behind and not worker.is_full:
                    worker.behind = False
                    late.add(TopicPartition(trigger.source.topic, number))
        self._read(consumer, frozenset(late))
        self._commit(admin)

    def _commit(self, admin: "KafkaAdminClient") -> None:
        for trigger in self.triggers:
            due = {number: worker.done for number, worker in trigger.workers.items() if worker.done > worker.committed}
            if due:
                topic = trigger.source.topic
                _commit(admin, trigger.source.group, {TopicPartition(topic, n): offset for n, offset in due.items()})
                for number, offset in due.items():
                    trigger.workers[number].committed = offset


def _positions(
    consumer: "KafkaConsumer",
    admin: "KafkaAdminClient",
    trigger: KafkaTrigger,
    partitions: Sequence["TopicPartition"],
) -> dict["TopicPartition", int]:
    """The offsets of the mapping's group, and its start in partitions that it has not read yet."""
    committed = admin.list_group_offsets({trigger.source.group: list(partitions)})[trigger.source.group]
    known = {partition: committed[partition].offset for partition in partitions if partition in committed}
    new = [partition for partition in partitions if known.get(partition, -1) < 0]
    if new:
        latest = trigger.source.starting_position == "LATEST"
        known |= consumer.end_offsets(new) if latest else consumer.beginning_offsets(new)
    return known


def _commit(admin: "KafkaAdminClient", group: str, offsets: dict["TopicPartition", int]) -> None:
    """Raises KafkaError if the broker rejects an offset."""
    results = admin.alter_group_offsets(
        group, {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
    )
    for partition, error in results.items():
        if error is not NoError:
            raise error(f"{group} could not commit {partition.topic}-{partition.partition}")
