"""All triggers of a stack, calling one Lambda Invoke endpoint: this emulator's, `sam local start-lambda` or another."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from emulator.stack import Stack, StackError
from emulator.triggers.endpoint import LambdaEndpoint
from emulator.triggers.schedule import ScheduleTrigger

if TYPE_CHECKING:  # its client is half the import time of all triggers, and many stacks have no Kafka
    from emulator.activity import Activity
    from emulator.triggers.kafka_reader import KafkaReader


class Triggers:
    """An asynchronous context manager: inside it, Kafka records and schedules invoke functions."""

    def __init__(
        self,
        stack: Stack,
        lambda_url: str,
        bootstrap: Sequence[str] | None,
        aws_url: str | None = None,
        names: Mapping[str, str] | None = None,
        activity: "Activity | None" = None,
    ) -> None:
        """`names` maps function names in the template to names at `lambda_url`, if they differ. With `activity`, Kafka
        is read less often while the stack is not used.

        Raises StackError, before anything runs, for what is not emulated or needs a missing service.
        """
        self._endpoint = LambdaEndpoint(lambda_url, names)
        self._reader = _reader(stack, bootstrap, self._endpoint, aws_url, activity)
        self._schedules = [
            ScheduleTrigger(schedule, self._endpoint, aws_url=aws_url)
            for schedule in stack.schedules
            if schedule.enabled
        ]

    async def __aenter__(self) -> "Triggers":
        await self._endpoint.__aenter__()
        if self._reader:
            await self._reader.start()
        for schedule in self._schedules:
            await schedule.start()
        return self

    async def __aexit__(self, *failure: Any) -> None:
        await asyncio.gather(
            *(schedule.close() for schedule in self._schedules), *([self._reader.close()] if self._reader else [])
        )
        await self._endpoint.__aexit__(*failure)

    async def forget_offsets(self) -> None:
        """Restarts the reader without offsets, after a broker restarted without its data."""
        old, self._reader = self._reader, None
        if old:
            await old.close()
            self._reader = old.fresh_copy()
            await self._reader.start()

    def status(self) -> dict[str, Any]:
        """`sources` and `schedules` of the status."""
        triggers = self._reader.triggers if self._reader else []
        return {
            "sources": [asdict(trigger.status()) for trigger in triggers],
            "schedules": [
                {
                    "name": trigger.schedule.name,
                    "function": trigger.schedule.function,
                    "expression": trigger.schedule.expression,
                    "next": trigger.next.isoformat() if trigger.next else None,
                    "undelivered": trigger.undelivered,
                    "trouble": trigger.trouble,
                }
                for trigger in self._schedules
            ],
        }


def _reader(
    stack: Stack,
    bootstrap: Sequence[str] | None,
    endpoint: LambdaEndpoint,
    aws_url: str | None,
    activity: "Activity | None",
) -> "KafkaReader | None":
    sources = [source for source in stack.kafka_sources if source.enabled]
    if not sources:
        return None
    if bootstrap is None:
        raise StackError(f"Resources.{sources[0].name}: a Kafka event source needs a broker: the service kafka")
    from emulator.triggers.kafka import KafkaTrigger
    from emulator.triggers.kafka_reader import KafkaReader

    arns = {name: function.arn for name, function in stack.functions.items()}
    triggers = [
        KafkaTrigger(source, bootstrap, endpoint, function_arn=arns.get(source.function), aws_url=aws_url)
        for source in sources
    ]
    return KafkaReader(bootstrap, triggers, activity)
