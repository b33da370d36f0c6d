"""Kafka event source mappings: records of a topic become invocations of a function.

Each partition is a line of its own, and the partitions run side by side. A batch is of one partition (Lambda may mix
several in a payload). An offset is committed when everything before it is done, so a restart repeats at most what was
under way.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from emulator.stack import KafkaSource
from emulator.triggers import kafka_options
from emulator.triggers.destination import open_destination
from emulator.triggers.endpoint import LambdaEndpoint
from emulator.triggers.kafka_line import Line

_log = logging.getLogger(__name__)


def exponential(attempt: int) -> float:
    """Seconds before the retry after `attempt` failures: 1, 2, 4 … 30."""
    return float(min(30, 2 ** (attempt - 1)))


@dataclass(frozen=True)
class SourceStatus:
    """How far one mapping is."""

    name: str
    function: str
    topic: str
    lag: int | None  # records not done yet; None while the broker has not been reached
    failures: int  # of the batches that are being retried now
    trouble: str | None  # the last failure, while it lasts
    discarded: int = 0  # records given up since the start
    filtered: int = 0  # records that no filter let through since the start


class KafkaTrigger:
    """One mapping, running from `start` to `close`."""

    def __init__(
        self,
        source: KafkaSource,
        bootstrap: Sequence[str],
        endpoint: LambdaEndpoint,
        backoff: Callable[[int], float] = exponential,
        *,
        function_arn: str | None = None,
        aws_url: str | None = None,
    ) -> None:
        """`aws_url` is where an SQS destination is. Raises StackError for a property that is not emulated."""
        self.source = source
        self.options = kafka_options.read(source)
        self._bootstrap = list(bootstrap)
        self._endpoint = endpoint
        self._backoff = backoff
        self._arn = function_arn or f"arn:aws:lambda:us-east-1:000000000000:function:{source.function}"
        self._aws_url = aws_url
        address = self.options.destination
        self._destination = open_destination(address, source, self._arn, bootstrap, aws_url) if address else None
        self._lines: dict[int, Line] = {}
        self._placed = False  # whether every partition has its line
        self._stopping = threading.Event()
        self._trouble: str | None = None
        # A thread, for the client blocks; it alone touches the client.
        self._thread = threading.Thread(target=self._consume, name=f"kafka-{source.name}", daemon=True)

    async def start(self) -> None:
        """Starts and returns; a broker that is away is waited for."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Takes no more records, lets go of what is under way, and commits what is done."""
        self._stopping.set()
        await asyncio.gather(*(line.close() for line in list(self._lines.values())))
        await asyncio.to_thread(self._thread.join, 10)
        if self._destination:
            await self._destination.close()

    def again(self) -> "KafkaTrigger":
        """The same mapping anew, remembering nothing."""
        return KafkaTrigger(
            self.source, self._bootstrap, self._endpoint, self._backoff, function_arn=self._arn, aws_url=self._aws_url
        )

    def status(self) -> SourceStatus:
        """How far it is now."""
        lines = list(self._lines.values())
        lags = [None if line.end is None else line.end - line.done for line in lines]
        return SourceStatus(
            name=self.source.name,
            function=self.source.function,
            topic=self.source.topic,
            lag=None if None in lags or not self._placed else sum(lag or 0 for lag in lags),
            failures=sum(line.failures for line in lines),
            trouble=self._trouble or next((line.trouble for line in lines if line.trouble), None),
            discarded=sum(line.discarded for line in lines),
            filtered=sum(line.filtered for line in lines),
        )

    def _consume(self) -> None:
        while not self._stopping.is_set():
            try:
                with contextlib.closing(self._connect()) as consumer:
                    self._pump(consumer)
            except (KafkaError, OSError, _NoTopic) as error:
                self._trouble = str(error) or type(error).__name__
                _log.warning("%s: %s", self.source.name, self._trouble)
                self._stopping.wait(1)

    def _connect(self) -> "KafkaConsumer":
        latest = self.source.starting_position == "LATEST"
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self.source.group,
            enable_auto_commit=False,
            auto_offset_reset="latest" if latest else "earliest",
            max_poll_records=max(500, self.source.batch_size),
            # Apache Kafka answers a waiting fetch at once, Tansu looks at about half of this time
            fetch_max_wait_ms=100,
            bootstrap_timeout_ms=5000,
        )
        try:
            self._take_places(consumer)
        except BaseException:
            consumer.close()
            raise
        self._trouble = None
        return consumer

    def _take_places(self, consumer: "KafkaConsumer") -> None:
        numbers = consumer.partitions_for_topic(self.source.topic)
        if not numbers:
            raise _NoTopic(f"there is no topic {self.source.topic}")
        # By hand rather than by subscribing: nobody else is in this group, and joining one takes its time.
        consumer.assign([TopicPartition(self.source.topic, number) for number in sorted(numbers)])
        for number in sorted(numbers):
            partition = TopicPartition(self.source.topic, number)
            line = self._lines.get(number)
            if line:  # the connection was lost: what was received before is still in the line
                consumer.seek(partition, line.received)
                continue
            position = consumer.position(partition)
            self._lines[number] = Line(
                self.source, self.options, self._bootstrap, self._endpoint, self._destination, self._backoff, position
            )
            self._lines[number].start(self._loop)
            # A source that begins at the end would otherwise begin at another end after a restart.
            consumer.commit({partition: OffsetAndMetadata(position, "", -1)})
        self._placed = True

    def _pump(self, consumer: "KafkaConsumer") -> None:
        while not self._stopping.is_set():
            busy = any(line.busy for line in self._lines.values())
            # Nothing wakes a poll but records: where a commit may be due, look again soon.
            for partition, records in consumer.poll(timeout_ms=50 if busy else 500).items():
                line = self._lines[partition.partition]
                line.received = records[-1].offset + 1
                self._loop.call_soon_threadsafe(line.add, records)
            self._settle(consumer)
        self._settle(consumer)

    def _settle(self, consumer: "KafkaConsumer") -> None:
        due = {}
        for number, line in self._lines.items():
            partition = TopicPartition(self.source.topic, number)
            end = consumer.highwater(partition)
            line.end = line.end if end is None else end
            if line.done > line.committed:
                due[partition] = line.done
            (consumer.pause if line.is_full else consumer.resume)(partition)
        if due:
            consumer.commit({partition: OffsetAndMetadata(offset, "", -1) for partition, offset in due.items()})
            for partition, offset in due.items():
                self._lines[partition.partition].committed = offset


class _NoTopic(Exception):
    pass
