"""All triggers of a stack, running against one Lambda Invoke endpoint: ours, `sam local start-lambda` or any other."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from emulator.stack import Stack, StackError
from emulator.triggers.endpoint import LambdaEndpoint
from emulator.triggers.schedule import ScheduleTrigger

if TYPE_CHECKING:  # its client is half the import time of all triggers, and many stacks have no Kafka
    from emulator.triggers.kafka import KafkaTrigger


class Triggers:
    """An asynchronous context manager: inside it, records and the clock call functions."""

    def __init__(
        self,
        stack: Stack,
        lambda_url: str,
        bootstrap: Sequence[str] | None,
        aws_url: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """`names` says what functions are called at `lambda_url`, where it is not as in the template.

        Raises StackError, before anything runs, for what is not emulated or has no service.
        """
        self._endpoint = LambdaEndpoint(lambda_url, names)
        self._kafka: list[KafkaTrigger] = []
        self._schedules = [
            ScheduleTrigger(schedule, self._endpoint, aws_url=aws_url)
            for schedule in stack.schedules
            if schedule.enabled
        ]
        sources = [source for source in stack.kafka_sources if source.enabled]
        if sources and bootstrap is None:
            raise StackError(f"Resources.{sources[0].name}: a Kafka event source needs a broker: the service kafka")
        if sources:
            from emulator.triggers import kafka

            for source in sources:
                function = stack.functions.get(source.function)
                arn = function.arn if function else None
                self._kafka.append(
                    kafka.KafkaTrigger(source, bootstrap or (), self._endpoint, function_arn=arn, aws_url=aws_url)
                )

    async def __aenter__(self) -> "Triggers":
        await self._endpoint.__aenter__()
        for source in self._kafka:
            await source.start()
        for schedule in self._schedules:
            await schedule.start()
        return self

    async def __aexit__(self, *failure: Any) -> None:
        await asyncio.gather(
            *(schedule.close() for schedule in self._schedules), *(source.close() for source in self._kafka)
        )
        await self._endpoint.__aexit__(*failure)

    async def forget_offsets(self) -> None:
        """For a broker that came back empty: whoever remembers offsets begins anew."""
        old, self._kafka[:] = list(self._kafka), []
        await asyncio.gather(*(source.close() for source in old))
        for source in old:
            self._kafka.append(source.again())
            await self._kafka[-1].start()

    def status(self) -> dict[str, Any]:
        """`sources` and `schedules`, for people and programs."""
        return {
            "sources": [asdict(source.status()) for source in self._kafka],
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
