"""Reads the records of all Kafka event source mappings: one connection to fetch, one to commit.

Several mappings of one topic share what is fetched. Each commits in a group of its own, and each that falls behind is
caught up by reading again from where it is: one that is stuck holds no other back.
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
from emulator.triggers.kafka_line import Line

_log = logging.getLogger(__name__)

# Apache Kafka answers a waiting fetch at once, Tansu looks at about half of this time.
_FETCH_WAIT = 100  # milliseconds
_AWAKE = 5.0  # seconds without records and without activity, before it rests
_REST = 1.0  # seconds between two looks while it rests
_RETRY = 1.0  # seconds before another look for a topic that is not there


class KafkaReader:
    """Reads for its mappings from `start` to `close`."""

    def __init__(
        self, bootstrap: Sequence[str], triggers: Sequence[KafkaTrigger], activity: Activity | None = None
    ) -> None:
        """Rests between looks while `activity` says that the stack is not used; without one it never rests."""
        self._bootstrap = list(bootstrap)
        self.triggers = list(triggers)
        self._activity = activity
        self._stopping = threading.Event()
        self._used = time.monotonic()  # when records last came, or were under way
        self._placing = 0.0  # when to look for missing topics again
        # A thread, for the clients block; it alone touches them.
        self._thread = threading.Thread(target=self._run, name="kafka-reader", daemon=True)

    async def start(self) -> None:
        """Starts and returns; a broker that is away is waited for."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Takes no more records, lets go of what is under way, and commits what is done."""
        self._stopping.set()
        if self._activity:
            self._activity.note()  # wakes it
        await asyncio.gather(*(trigger.close() for trigger in self.triggers))
        await asyncio.to_thread(self._thread.join, 10)

    def again(self) -> "KafkaReader":
        """The same reader anew, remembering nothing."""
        return KafkaReader(self._bootstrap, [trigger.again() for trigger in self.triggers], self._activity)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with contextlib.closing(self._consumer()) as consumer, contextlib.closing(self._admin()) as admin:
                    self._pump(consumer, admin)
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
            auto_offset_reset="none",  # where to go on differs by mapping
            max_poll_records=max(500, *(trigger.source.batch_size for trigger in self.triggers)),
            fetch_max_wait_ms=_FETCH_WAIT,
            bootstrap_timeout_ms=5000,
        )

    def _admin(self) -> "KafkaAdminClient":
        return KafkaAdminClient(bootstrap_servers=self._bootstrap, bootstrap_timeout_ms=5000)

    def _pump(self, consumer: "KafkaConsumer", admin: "KafkaAdminClient") -> None:
        self._placing = 0.0
        while not self._stopping.is_set():
            if time.monotonic() >= self._placing:
                self._assign(consumer, admin)
            try:
                # Nothing wakes a poll but records: where a commit may be due, look again soon. At rest, ask once.
                found = consumer.poll(timeout_ms=50 if self._busy() or self._may_rest() else 2 * _FETCH_WAIT)
            except OffsetOutOfRangeError as error:
                self._restart(consumer, error.args[0])
                continue
            for partition, records in found.items():
                for line in self._lines(partition):
                    line.offer(records)
            self._settle(consumer, admin)
            if found or self._busy():
                self._used = time.monotonic()
            elif self._may_rest():
                assert self._activity
                self._activity.wait(_REST)
        self._commit(admin)

    def _busy(self) -> bool:
        return any(line.busy for trigger in self.triggers for line in trigger.lines.values())

    def _may_rest(self) -> bool:
        return (
            self._activity is not None
            and not self._activity.within(_AWAKE)
            and time.monotonic() - self._used > _AWAKE
            and not self._stopping.is_set()
        )

    def _lines(self, partition: "TopicPartition") -> Iterator[Line]:
        for trigger in self.triggers:
            if trigger.source.topic == partition.topic and partition.partition in trigger.lines:
                yield trigger.lines[partition.partition]

    def _assign(self, consumer: "KafkaConsumer", admin: "KafkaAdminClient") -> None:
        """Gives each mapping whose topic is there its partitions, and reads all of them from where the mappings are."""
        missing = False
        for trigger in self.triggers:
            numbers = None if trigger.lines else consumer.partitions_for_topic(trigger.source.topic)
            if numbers:
                partitions = [TopicPartition(trigger.source.topic, number) for number in sorted(numbers)]
                positions = _positions(consumer, admin, trigger, partitions)
                # A source that begins at the end would otherwise begin at another end after a restart.
                _commit(admin, trigger.source.group, positions)
                trigger.place({partition.partition: offset for partition, offset in positions.items()}, self._loop)
            trigger.trouble = None if trigger.lines else f"there is no topic {trigger.source.topic}"
            missing = missing or not trigger.lines
        self._placing = time.monotonic() + _RETRY if missing else float("inf")
        self._read(consumer)

    def _read(self, consumer: "KafkaConsumer", again: frozenset["TopicPartition"] = frozenset()) -> None:
        """Reads what some mapping takes, and no other partition; those in `again` from where their mappings are.

        A partition that nobody takes for now is left out rather than paused: kafka-python 3.0.12 may never return to
        one that was paused while it had records buffered (`Fetcher.fetched_records` restores them only if nothing else
        was read last).
        """
        starts: dict[TopicPartition, int] = {}
        for trigger in self.triggers:
            for number, line in trigger.lines.items():
                if line.readable:
                    partition = TopicPartition(trigger.source.topic, number)
                    starts[partition] = min(line.received, starts.get(partition, line.received))
        if starts.keys() != consumer.assignment():
            # By hand rather than by subscribing: nobody else is in these groups, and joining one takes its time.
            consumer.assign(sorted(starts))
            again = frozenset(starts)
        for partition in again & starts.keys():
            consumer.seek(partition, starts[partition])

    def _restart(self, consumer: "KafkaConsumer", lost: Sequence["TopicPartition"]) -> None:
        """The broker no longer has these offsets: each mapping goes on where its StartingPosition says."""
        for partition in lost:
            first, last = consumer.beginning_offsets([partition]), consumer.end_offsets([partition])
            lines = [
                (trigger.lines[partition.partition], last if trigger.source.starting_position == "LATEST" else first)
                for trigger in self.triggers
                if trigger.source.topic == partition.topic and partition.partition in trigger.lines
            ]
            for line, offsets in lines:
                if not first[partition] <= line.received <= last[partition]:
                    line.restart(offsets[partition])
            consumer.seek(partition, min(line.received for line, _ in lines))

    def _settle(self, consumer: "KafkaConsumer", admin: "KafkaAdminClient") -> None:
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            for line in self._lines(partition):
                line.end = line.end if end is None else end
        late = set()
        for trigger in self.triggers:
            for number, line in trigger.lines.items():
                if line.behind and not line.is_full:
                    line.behind = False
                    late.add(TopicPartition(trigger.source.topic, number))
        self._read(consumer, frozenset(late))
        self._commit(admin)

    def _commit(self, admin: "KafkaAdminClient") -> None:
        for trigger in self.triggers:
            due = {number: line.done for number, line in trigger.lines.items() if line.done > line.committed}
            if due:
                topic = trigger.source.topic
                _commit(admin, trigger.source.group, {TopicPartition(topic, n): offset for n, offset in due.items()})
                for number, offset in due.items():
                    trigger.lines[number].committed = offset


def _positions(
    consumer: "KafkaConsumer",
    admin: "KafkaAdminClient",
    trigger: KafkaTrigger,
    partitions: Sequence["TopicPartition"],
) -> dict["TopicPartition", int]:
    """Where the mapping's group is, and where it begins in partitions that it has not read yet."""
    committed = admin.list_group_offsets({trigger.source.group: list(partitions)})[trigger.source.group]
    known = {partition: committed[partition].offset for partition in partitions if partition in committed}
    new = [partition for partition in partitions if known.get(partition, -1) < 0]
    if new:
        latest = trigger.source.starting_position == "LATEST"
        known |= consumer.end_offsets(new) if latest else consumer.beginning_offsets(new)
    return known


def _commit(admin: "KafkaAdminClient", group: str, offsets: dict["TopicPartition", int]) -> None:
    """Raises KafkaError where the broker refuses one of them."""
    answers = admin.alter_group_offsets(
        group, {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
    )
    for partition, error in answers.items():
        if error is not NoError:
            raise error(f"{group} could not commit {partition.topic}-{partition.partition}")
