"""Kafka event sources on real brokers, with a fake Lambda Invoke endpoint."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from kafka import KafkaProducer

from emulator.services import Running
from emulator.stack import KafkaSource
from emulator.triggers.endpoint import LambdaEndpoint
from emulator.triggers.kafka import KafkaTrigger
from emulator.triggers.kafka_reader import KafkaReader


def source(topic: str, **changes: Any) -> KafkaSource:
    plain = KafkaSource(
        name="Orders", function="OnOrder", topic=topic, group=f"group-{topic}", source_arn=None, batch_size=10, window=0
    )
    return replace(plain, **changes)


def send(producer: KafkaProducer, topic: str, values: list[str], partition: int = 0) -> None:
    for future in [producer.send(topic, value.encode(), partition=partition) for value in values]:
        future.get(timeout=10)


@dataclass
class FakeLambda:
    """Answers with the result of `behaviour`, and records every event."""

    behaviour: Callable[[list[str]], Any] = lambda _: None  # returns the function's result, or raises its error
    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    throttles: int = 0  # how many calls are throttled before the first is accepted

    @property
    def batches(self) -> list[list[str]]:
        return [values_of(event) for event in self.events]

    @property
    def seen(self) -> list[str]:
        return [value for batch in self.batches for value in batch]

    async def answer(self, request: web.Request) -> web.Response:
        assert request.path == "/2015-03-31/functions/OnOrder/invocations"
        assert request.headers["X-Amz-Invocation-Type"] == "RequestResponse"
        if self.throttles:
            self.throttles -= 1
            return web.json_response({"message": "Rate Exceeded."}, status=429)
        event = await request.json()
        self.events.append(event)
        if self.hold:
            await self.hold.wait()
        try:
            return web.json_response(self.behaviour(values_of(event)))
        except RuntimeError as error:
            return web.json_response({"errorMessage": str(error)}, headers={"X-Amz-Function-Error": "Unhandled"})


def values_of(event: Mapping[str, Any]) -> list[str]:
    return [
        base64.b64decode(record["value"] or "").decode() for records in event["records"].values() for record in records
    ]


@asynccontextmanager
async def listening(fake: FakeLambda) -> AsyncIterator[LambdaEndpoint]:
    app = web.Application()
    app.router.add_post("/{path:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with LambdaEndpoint(fake.url) as endpoint:
        yield endpoint
    await runner.cleanup()


@asynccontextmanager
async def triggered(
    broker: Running,
    mapping: KafkaSource,
    endpoint: LambdaEndpoint,
    backoff: Callable[[int], float] = lambda _: 0.01,
    **options: Any,
) -> AsyncIterator[KafkaTrigger]:
    trigger = KafkaTrigger(mapping, broker.kafka, endpoint, backoff, **options)
    reader = KafkaReader(broker.kafka, [trigger])
    await reader.start()
    try:
        yield trigger
    finally:
        await reader.close()


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        await asyncio.sleep(0.005)


def run(scenario: Awaitable[None]) -> None:
    async def main() -> None:
        await scenario

    asyncio.run(main())
