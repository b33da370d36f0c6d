"""One partition of a Kafka event source mapping: one batch at a time, in order.

A batch is retried as a whole until it succeeds, unless the mapping limits attempts or age; a record that is given up
is sent to the mapping's destination. Lambda developer guide, "Configuring error handling controls for Kafka event
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
from emulator.triggers.destination import Destination, DestinationError, DiscardedBatch
from emulator.triggers.endpoint import InvokeResponse, LambdaEndpoint
from emulator.triggers.kafka_event import Record
from emulator.triggers.kafka_options import KafkaOptions

_log = logging.getLogger(__name__)

_MAX_EVENT = 6_000_000  # bytes; Lambda's limit is 6 MB, and the event has other fields besides records
_TOO_LARGE = 413
_DESTINATION_ATTEMPTS = 3  # then the batch is lost, as on AWS


@dataclass(frozen=True)
class _Batch:
    """Records to process, and their attempts so far."""

    records: list[Any]
    failures: int = 0  # of the function: they count against MaximumRetryAttempts; splits do not
    invocations: int = 0
    function_error: str | None = None


class PartitionWorker:
    """One partition's records, waiting and in progress. The reader's thread reads its offsets."""

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
        self.received = self.done = self.committed = position  # the next offset of each
        self.end: int | None = None
        self.behind = False  # whether records were skipped because enough were waiting: they must be read again
        self.failures = 0
        self.trouble: str | None = None
        self.discarded = self.filtered = 0
        self._source = source
        self._options = options
        self._bootstrap = bootstrap
        self._endpoint = endpoint
        self._destination = destination
        self._backoff = backoff
        self._added = position  # like `received`, for records that `add` has taken
        self._in_progress: deque[_Batch] = deque()
        self._waiting: deque[Any] = deque()
        self._arrived = asyncio.Event()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts on `loop`; may be called from another thread."""
        self._loop = loop
        self._task = asyncio.run_coroutine_threadsafe(self._run(), loop)

    @property
    def busy(self) -> bool:
        """Whether records were received that are not yet done and committed."""
        return self.committed < self.received

    @property
    def is_full(self) -> bool:
        """Whether enough records are waiting."""
        return len(self._waiting) > 2 * max(500, self._source.batch_size)

    @property
    def readable(self) -> bool:
        """Whether it accepts records after `received`."""
        return not self.behind and not self.is_full

    def offer(self, records: Sequence[Record]) -> None:
        """Takes the new records, or none while enough are waiting. Called by the reader's thread."""
        fresh = [record for record in records if record.offset >= self.received]
        if not fresh:
            return
        if not self.readable:
            self.behind = True
            return
        self.received = fresh[-1].offset + 1
        self._loop.call_soon_threadsafe(self.add, fresh)

    def restart(self, position: int) -> None:
        """Continues at `position`, since the broker no longer has its offset. Called by the reader's thread."""
        self.received = self.committed = position
        self.behind = False

    def add(self, records: Iterable[Record]) -> None:
        """Queues the records that pass the filters."""
        for record in records:
            if self._options.filters.pass_value(record.value):
                self._waiting.append(record)
            else:
                self.filtered += 1
            self._added = record.offset + 1
        self._update_done()
        self._arrived.set()

    async def close(self) -> None:
        """Stops without waiting for batches in progress."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wrap_future(self._task)

    async def _run(self) -> None:
        while True:
            self._in_progress.append(_Batch(await self._next_batch()))
            while self._in_progress:
                if await self._attempt():
                    await asyncio.sleep(self._backoff(self.failures))

    def _update_done(self) -> None:
        """Sets `done` to the offset of the first record that is not done."""
        if self._in_progress:
            self.done = self._in_progress[0].records[0].offset
        else:
            self.done = self._waiting[0].offset if self._waiting else self._added

    async def _next_batch(self) -> list[Any]:
        """One batch: complete when it is full or the window since its first record is over."""
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
        """Tries the first batch in progress once; returns whether to wait before the next attempt."""
        await self._drop_expired()
        if not self._in_progress:
            return False
        batch = self._in_progress[0]
        payload = kafka_event.event(self._source, self._bootstrap, batch.records)
        response = await self._endpoint.invoke(self._source.function, payload)
        left, trouble = self._remaining(batch.records, response)
        self.trouble = trouble
        if trouble:
            _log.warning("%s: partition %d: %s", self._source.name, batch.records[0].partition, trouble)
        if not left:
            self._in_progress.popleft()
            self.failures = 0
            self._update_done()
            return False
        progressed = len(left) < len(batch.records)
        self.failures = 1 if progressed else self.failures + 1
        ran = response.status is not None and response.status < 300
        batch = _Batch(
            left,
            # A call that did not reach the function (throttled, endpoint unavailable) is not an attempt.
            (1 if progressed else batch.failures + 1) if ran else batch.failures,
            batch.invocations + ran,
            response.function_error or (batch.function_error if not ran else None),
        )
        self._in_progress[0] = batch
        self._update_done()
        if len(left) > 1 and (response.status == _TOO_LARGE or (self._options.bisect and ran and not progressed)):
            self._split(batch)
        elif response.status == _TOO_LARGE:
            await self._discard(batch, "MaximumPayloadSizeExceeded")
            return False
        elif self._options.retries is not None and batch.failures > self._options.retries:
            await self._discard(batch, "RetryAttemptsExhausted")
            return False
        return True

    def _remaining(self, records: list[Any], response: InvokeResponse) -> tuple[list[Any], str | None]:
        """The records still to process after the response, and the error."""
        if response.error is not None:
            return records, response.error
        if not self._source.report_item_failures:
            return [], None
        try:
            failed = kafka_event.first_failed(response.payload, records)
        except kafka_event.InvalidBatchResponse as error:
            return records, str(error)
        left = [] if failed is None else [record for record in records if record.offset >= failed]
        return left, f"{len(left)} records reported as failed" if left else None

    def _split(self, batch: _Batch) -> None:
        """Replaces the first batch by its two halves. A split is not an attempt."""
        middle = len(batch.records) // 2
        failures = max(0, batch.failures - 1)
        self._in_progress[0] = replace(batch, records=batch.records[middle:], failures=failures)
        self._in_progress.appendleft(replace(batch, records=batch.records[:middle], failures=failures))

    async def _drop_expired(self) -> None:
        if self._options.max_age is None:
            return
        oldest = (time.time() - self._options.max_age) * 1000
        while self._in_progress:
            batch = self._in_progress[0]
            young = next((at for at, one in enumerate(batch.records) if one.timestamp >= oldest), len(batch.records))
            if young == 0:
                return
            old = replace(batch, records=batch.records[:young])
            if young < len(batch.records):
                self._in_progress[0] = replace(batch, records=batch.records[young:])
                self._in_progress.appendleft(old)
            await self._discard(old, "RecordAgeExceeded")

    async def _discard(self, batch: _Batch, condition: str) -> None:
        """Gives up the first batch in progress, and sends it to the destination if the mapping has one."""
        where = f"{self._source.name}: partition {batch.records[0].partition}: {len(batch.records)} records"
        _log.warning("%s given up at offset %d: %s", where, batch.records[0].offset, condition)
        if self._destination:
            discarded = DiscardedBatch(batch.records, condition, batch.invocations, batch.function_error)
            for attempt in range(1, _DESTINATION_ATTEMPTS + 1):
                try:
                    await self._destination.send(discarded)
                    break
                except DestinationError as error:
                    self.trouble = str(error)
                    _log.warning("%s: the destination did not accept them: %s", where, error)
                if attempt < _DESTINATION_ATTEMPTS:
                    await asyncio.sleep(self._backoff(attempt))
            else:
                _log.error("%s are lost: the destination accepted none of %d attempts", where, _DESTINATION_ATTEMPTS)
        self.discarded += len(batch.records)
        self.failures = 0
        self._in_progress.popleft()
        self._update_done()
