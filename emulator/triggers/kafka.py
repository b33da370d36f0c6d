"""Kafka event source mappings: records of a topic become invocations of a function.

Each partition is a line of its own: one batch at a time, in order, again and again until it succeeds; the partitions
run side by side. A batch is of one partition (Lambda may mix several in a payload). An offset is committed when
everything before it is done, so a restart repeats at most what was under way.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from emulator.stack import KafkaSource
from emulator.triggers import kafka_event
from emulator.triggers.endpoint import Answer, LambdaEndpoint
from emulator.triggers.kafka_event import Record

_log = logging.getLogger(__name__)

_MAX_EVENT = 6_000_000  # bytes; Lambda's limit of 6 MB, with room for what surrounds the records


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


class KafkaTrigger:
    """One mapping, running from `start` to `close`."""

    def __init__(
        self,
        source: KafkaSource,
        bootstrap: Sequence[str],
        endpoint: LambdaEndpoint,
        backoff: Callable[[int], float] = exponential,
    ) -> None:
        self.source = source
        self._bootstrap = list(bootstrap)
        self._endpoint = endpoint
        self._backoff = backoff
        self._lines: dict[int, _Line] = {}
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

    def again(self) -> "KafkaTrigger":
        """The same mapping anew, remembering nothing."""
        return KafkaTrigger(self.source, self._bootstrap, self._endpoint, self._backoff)

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
            self._lines[number] = _Line(self, position, self._loop)
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

    async def _deliver(self, records: Sequence[Record]) -> Answer:
        payload = kafka_event.event(self.source, self._bootstrap, records)
        return await self._endpoint.invoke(self.source.function, payload)


class _NoTopic(Exception):
    pass


class _Line:
    """One partition's records, waiting and under way. Its numbers are read by the client's thread."""

    def __init__(self, trigger: KafkaTrigger, position: int, loop: asyncio.AbstractEventLoop) -> None:
        self.received = self.done = self.committed = position  # each the next offset
        self.end: int | None = None
        self.failures = 0
        self.trouble: str | None = None
        self._trigger = trigger
        self._source = trigger.source
        self._waiting: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._task = asyncio.run_coroutine_threadsafe(self._run(), loop)

    @property
    def busy(self) -> bool:
        """Whether something was received and is not done and committed."""
        return self.committed < self.received

    @property
    def is_full(self) -> bool:
        """Whether enough is waiting for now."""
        return len(self._waiting) > 2 * max(500, self._source.batch_size)

    def add(self, records: Iterable[Record]) -> None:
        """Queues what came."""
        self._waiting.extend(records)
        self._arrived.set()

    async def close(self) -> None:
        """Stops; what is under way is not waited for."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wrap_future(self._task)

    async def _run(self) -> None:
        while True:
            batch = await self._gather()
            while batch:
                batch = await self._attempt(batch)
                if batch:
                    await asyncio.sleep(self._trigger._backoff(self.failures))

    async def _gather(self) -> list[Any]:
        """One batch: complete when it is full, or when the window since its first record has passed."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._source.window):
                while len(self._waiting) < self._source.batch_size:
                    self._arrived.clear()
                    await self._arrived.wait()
        batch = [self._waiting.popleft()]
        total = kafka_event.size(batch[0])
        while self._waiting and len(batch) < self._source.batch_size:
            total += kafka_event.size(self._waiting[0])
            if total > _MAX_EVENT:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _attempt(self, batch: list[Any]) -> list[Any]:
        """Invokes once; returns what is left to do."""
        answer = await self._trigger._deliver(batch)
        trouble, left = answer.error, batch
        if trouble is None:
            try:
                left = self._left(batch, answer)
            except kafka_event.UnusableAnswer as error:
                trouble = str(error)
            else:
                trouble = f"{len(left)} records reported as failed" if left else None
        if left is not batch:
            self.done = left[0].offset if left else batch[-1].offset + 1
        progressed = len(left) < len(batch)
        self.failures = 0 if not left else 1 if progressed else self.failures + 1
        self.trouble = trouble
        if trouble:
            _log.warning("%s: partition %d: %s", self._source.name, batch[0].partition, trouble)
        return left

    def _left(self, batch: list[Any], answer: Answer) -> list[Any]:
        if not self._source.report_item_failures:
            return []
        failed = kafka_event.first_failed(answer.payload, batch)
        return [] if failed is None else [record for record in batch if record.offset >= failed]
