"""Kafka event source mappings: records of a topic become invocations of a function.

Each partition is a line of its own, and the partitions run side by side. A batch is of one partition (Lambda may mix
several in a payload). An offset is committed when everything before it is done, so a restart repeats at most what was
under way. Records come from a `KafkaReader`, which reads for all mappings.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emulator.stack import KafkaSource
from emulator.triggers import kafka_options
from emulator.triggers.destination import open_destination
from emulator.triggers.endpoint import LambdaEndpoint
from emulator.triggers.kafka_line import Line


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
    """One mapping. A `KafkaReader` gives it its partitions and their records; its lines call the function."""

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
        self.lines: dict[int, Line] = {}  # by partition, from `place` on
        self.trouble: str | None = None  # of the reader: the broker is away, there is no such topic
        self._bootstrap = list(bootstrap)
        self._endpoint = endpoint
        self._backoff = backoff
        self._arn = function_arn or f"arn:aws:lambda:us-east-1:000000000000:function:{source.function}"
        self._aws_url = aws_url
        address = self.options.destination
        self._destination = open_destination(address, source, self._arn, bootstrap, aws_url) if address else None

    def place(self, positions: Mapping[int, int], loop: asyncio.AbstractEventLoop) -> None:
        """Starts a line on `loop` for each partition, at its offset. May be called from another thread."""
        lines = {
            number: Line(
                self.source, self.options, self._bootstrap, self._endpoint, self._destination, self._backoff, position
            )
            for number, position in positions.items()
        }
        for line in lines.values():
            line.start(loop)
        self.lines = lines

    async def close(self) -> None:
        """Lets go of what is under way."""
        await asyncio.gather(*(line.close() for line in self.lines.values()))
        if self._destination:
            await self._destination.close()

    def again(self) -> "KafkaTrigger":
        """The same mapping anew, remembering nothing."""
        return KafkaTrigger(
            self.source, self._bootstrap, self._endpoint, self._backoff, function_arn=self._arn, aws_url=self._aws_url
        )

    def status(self) -> SourceStatus:
        """How far it is now."""
        lines = list(self.lines.values())
        lags = [None if line.end is None else line.end - line.done for line in lines]
        return SourceStatus(
            name=self.source.name,
            function=self.source.function,
            topic=self.source.topic,
            lag=None if None in lags or not lines else sum(lag or 0 for lag in lags),
            failures=sum(line.failures for line in lines),
            trouble=self.trouble or next((line.trouble for line in lines if line.trouble), None),
            discarded=sum(line.discarded for line in lines),
            filtered=sum(line.filtered for line in lines),
        )
