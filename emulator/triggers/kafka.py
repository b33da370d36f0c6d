"""Kafka event source mappings: records of a topic become invocations of a function.

Each partition has its own worker, and the workers run concurrently. A batch is of one partition (Lambda may mix
several in a payload). An offset is committed when everything before it is done, so a restart repeats at most the
batches in progress. Records come from a `KafkaReader`, which reads for all mappings.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emulator.stack import KafkaSource
from emulator.triggers import kafka_options
from emulator.triggers.destination import open_destination
from emulator.triggers.endpoint import LambdaEndpoint
from emulator.triggers.kafka_partition import PartitionWorker


def exponential(attempt: int) -> float:
    """Seconds before the retry after `attempt` failures: 1, 2, 4 … 30."""
    return float(min(30, 2 ** (attempt - 1)))


@dataclass(frozen=True)
class SourceStatus:
    """The progress of one mapping."""

    name: str
    function: str
    topic: str
    lag: int | None  # records not yet done; None until the broker is reached
    failures: int  # of the batches being retried now
    trouble: str | None  # the last failure, while it lasts
    discarded: int = 0  # records given up since the start
    filtered: int = 0  # records that passed no filter since the start


class KafkaTrigger:
    """One mapping. A `KafkaReader` gives it its partitions and their records; its workers call the function."""

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
        """`aws_url` is the endpoint of an SQS destination. Raises StackError for a property that is not emulated."""
        self.source = source
        self.options = kafka_options.read(source)
        self.workers: dict[int, PartitionWorker] = {}  # by partition, from `start_partitions` on
        self.trouble: str | None = None  # of the reader: the broker is unavailable, or the topic does not exist
        self._bootstrap = list(bootstrap)
        self._endpoint = endpoint
        self._backoff = backoff
        self._arn = function_arn or f"arn:aws:lambda:us-east-1:000000000000:function:{source.function}"
        self._aws_url = aws_url
        address = self.options.destination
        self._destination = open_destination(address, source, self._arn, bootstrap, aws_url) if address else None

    def start_partitions(self, positions: Mapping[int, int], loop: asyncio.AbstractEventLoop) -> None:
        """Starts a worker on `loop` for each partition, at its offset. May be called from another thread."""
        workers = {
            number: PartitionWorker(
                self.source, self.options, self._bootstrap, self._endpoint, self._destination, self._backoff, position
            )
            for number, position in positions.items()
        }
        for worker in workers.values():
            worker.start(loop)
        self.workers = workers

    async def close(self) -> None:
        """Stops; batches in progress are abandoned."""
        await asyncio.gather(*(worker.close() for worker in self.workers.values()))
        if self._destination:
            await self._destination.close()

    def fresh_copy(self) -> "KafkaTrigger":
        """A new trigger for the same mapping, without offsets."""
        return KafkaTrigger(
            self.source, self._bootstrap, self._endpoint, self._backoff, function_arn=self._arn, aws_url=self._aws_url
        )

    def status(self) -> SourceStatus:
        """The current progress."""
        workers = list(self.workers.values())
        lags = [None if worker.end is None else worker.end - worker.done for worker in workers]
        return SourceStatus(
            name=self.source.name,
            function=self.source.function,
            topic=self.source.topic,
            lag=None if None in lags or not workers else sum(lag or 0 for lag in lags),
            failures=sum(worker.failures for worker in workers),
            trouble=self.trouble or next((worker.trouble for worker in workers if worker.trouble), None),
            discarded=sum(worker.discarded for worker in workers),
            filtered=sum(worker.filtered for worker in workers),
        )
