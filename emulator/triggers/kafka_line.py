"""One partition of a Kafka event source mapping: one batch at a time, in order.

A batch is tried again, whole, until it succeeds, unless the mapping limits attempts or age; a record that is given up
goes to the mapping's destination. Lambda developer guide, "Configuring error handling controls for Kafka event
sources".
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emulator.stack import KafkaSource
from emulator.triggers import kafka_event
from emulator.triggers.destination import Destination, DestinationError, Discarded
from emulator.triggers.endpoint import Answer, LambdaEndpoint
from emulator.triggers.kafka_event import Record
from emulator.triggers.kafka_options import KafkaOptions

_log = logging.getLogger(__name__)

_MAX_EVENT = 6_000_000  # bytes; Lambda's limit of 6 MB, with room for what surrounds the records
_TOO_LARGE = 413
_DESTINATION_ATTEMPTS = 3  # then the batch is lost, as on AWS


@dataclass(frozen=True)
class _Batch:
    """Records still to be done, and what became of them so far."""

    records: list[Any]
    failures: int = 0  # of the function: they count against MaximumRetryAttempts, splits do not
    invocations: int = 0
    function_error: str | None = None


class Line:
    """One partition's records, waiting and under way. Its numbers are read by the client's thread."""

    def __init__(
        self,
        source: KafkaSource,
        options: KafkaOptions,
        bootstrap: Sequence[str],
        endpoint: LambdaEndpoint,
        destination: Destination | None,
        backoff: Callable[[int], float],
        position: int,
    ) -> None:
        self.received = self.done = self.committed = position  # each the next offset
        self.end: int | None = None
        self.behind = False  # whether records were left out because enough was waiting: to be read again
        self.failures = 0
        self.trouble: str | None = None
        self.discarded = self.filtered = 0
        self._source = source
        self._options = options
        self._bootstrap = bootstrap
        self._endpoint = endpoint
        self._destination = destination
        self._backoff = backoff
        self._added = position  # like `received`, but as far as this line has seen
        self._under_way: deque[_Batch] = deque()
        self._waiting: deque[Any] = deque()
        self._arrived = asyncio.Event()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts on `loop`; may be called from another thread."""
        self._loop = loop
        self._task = asyncio.run_coroutine_threadsafe(self._run(), loop)

    @property
    def busy(self) -> bool:
        """Whether something was received and is not done and committed."""
        return self.committed < self.received

    @property
    def is_full(self) -> bool:
        """Whether enough is waiting for now."""
        return len(self._waiting) > 2 * max(500, self._source.batch_size)

    @property
    def readable(self) -> bool:
        """Whether it takes what comes after `received`."""
        return not self.behind and not self.is_full

    def offer(self, records: Sequence[Record]) -> None:
        """Takes the records that are new to it, or none while enough is waiting. Called by the client's thread."""
        fresh = [record for record in records if record.offset >= self.received]
        if not fresh:
            return
        if not self.readable:
            self.behind = True
            return
        self.received = fresh[-1].offset + 1
        self._loop.call_soon_threadsafe(self.add, fresh)

    def restart(self, position: int) -> None:
        """Goes on at an offset that the broker has: the one it was at is there no more. By the client's thread."""
        self.received = self.committed = position
        self.behind = False

    def add(self, records: Iterable[Record]) -> None:
        """Queues what came and passes the filters."""
        for record in records:
            if self._options.filters.pass_value(record.value):
                self._waiting.append(record)
            else:
                self.filtered += 1
            self._added = record.offset + 1
        self._settle()
        self._arrived.set()

    async def close(self) -> None:
        """Stops; what is under way is not waited for."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wrap_future(self._task)

    async def _run(self) -> None:
        while True:
            self._under_way.append(_Batch(await self._gather()))
            while self._under_way:
                if await self._attempt():
                    await asyncio.sleep(self._backoff(self.failures))

    def _settle(self) -> None:
        """Everything before the first record that is not done is done."""
        if self._under_way:
            self.done = self._under_way[0].records[0].offset
        else:
            self.done = self._waiting[0].offset if self._waiting else self._added

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

    async def _attempt(self) -> bool:
        """Deals with the first batch under way once; whether there is a reason to wait before going on."""
        await self._drop_the_old()
        if not self._under_way:
            return False
        batch = self._under_way[0]
        payload = kafka_event.event(self._source, self._bootstrap, batch.records)
        answer = await self._endpoint.invoke(self._source.function, payload)
        left, trouble = self._left(batch.records, answer)
        self.trouble = trouble
        if trouble:
            _log.warning("%s: partition %d: %s", self._source.name, batch.records[0].partition, trouble)
        if not left:
            self._under_way.popleft()
            self.failures = 0
            self._settle()
            return False
        progressed = len(left) < len(batch.records)
        self.failures = 1 if progressed else self.failures + 1
        ran = answer.status is not None and answer.status < 300
        batch = _Batch(
            left,
            # What never reached the function (a throttle, an endpoint that is away) uses up no attempt.
            (1 if progressed else batch.failures + 1) if ran else batch.failures,
            batch.invocations + ran,
            answer.function_error or (batch.function_error if not ran else None),
        )
        self._under_way[0] = batch
        self._settle()
        if len(left) > 1 and (answer.status == _TOO_LARGE or (self._options.bisect and ran and not progressed)):
            self._split(batch)
        elif answer.status == _TOO_LARGE:
            await self._discard(batch, "MaximumPayloadSizeExceeded")
            return False
        elif self._options.retries is not None and batch.failures > self._options.retries:
            await self._discard(batch, "RetryAttemptsExhausted")
            return False
        return True

    def _left(self, records: list[Any], answer: Answer) -> tuple[list[Any], str | None]:
        """What the answer leaves to do, and the trouble."""
        if answer.error is not None:
            return records, answer.error
        if not self._source.report_item_failures:
            return [], None
        try:
            failed = kafka_event.first_failed(answer.payload, records)
        except kafka_event.UnusableAnswer as error:
            return records, str(error)
        left = [] if failed is None else [record for record in records if record.offset >= failed]
        return left, f"{len(left)} records reported as failed" if left else None

    def _split(self, batch: _Batch) -> None:
        """Two halves in the place of the first batch. A split costs no attempt."""
        middle = len(batch.records) // 2
        failures = max(0, batch.failures - 1)
        self._under_way[0] = replace(batch, records=batch.records[middle:], failures=failures)
        self._under_way.appendleft(replace(batch, records=batch.records[:middle], failures=failures))

    async def _drop_the_old(self) -> None:
        if self._options.max_age is None:
            return
        oldest = (time.time() - self._options.max_age) * 1000
        while self._under_way:
            batch = self._under_way[0]
            young = next((at for at, one in enumerate(batch.records) if one.timestamp >= oldest), len(batch.records))
            if young == 0:
                return
            old = replace(batch, records=batch.records[:young])
            if young < len(batch.records):
                self._under_way[0] = replace(batch, records=batch.records[young:])
                self._under_way.appendleft(old)
            await self._discard(old, "RecordAgeExceeded")

    async def _discard(self, batch: _Batch, condition: str) -> None:
        """Gives up the first batch under way: to the destination, or to nobody where the mapping has none."""
        where = f"{self._source.name}: partition {batch.records[0].partition}: {len(batch.records)} records"
        _log.warning("%s given up at offset %d: %s", where, batch.records[0].offset, condition)
        if self._destination:
            discarded = Discarded(batch.records, condition, batch.invocations, batch.function_error)
            for attempt in range(1, _DESTINATION_ATTEMPTS + 1):
                try:
                    await self._destination.take(discarded)
                    break
                except DestinationError as error:
                    self.trouble = str(error)
                    _log.warning("%s: the destination did not take them: %s", where, error)
                if attempt < _DESTINATION_ATTEMPTS:
                    await asyncio.sleep(self._backoff(attempt))
            else:
                _log.error("%s are lost: the destination took none of %d attempts", where, _DESTINATION_ATTEMPTS)
        self.discarded += len(batch.records)
        self.failures = 0
        self._under_way.popleft()
        self._settle()
