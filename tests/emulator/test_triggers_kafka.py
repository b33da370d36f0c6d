"""Kafka event source mappings on real brokers, with a fake Lambda Invoke endpoint."""

import asyncio
import time
import uuid
from typing import Any

import pytest
from kafka import KafkaProducer

from emulator.services import Running
from emulator.triggers.endpoint import LambdaEndpoint
from tests.emulator.kafka_lambda import FakeLambda, listening, run, send, source, triggered, until


def test_an_event_looks_like_lambdas(broker: Running, topic: str, producer: KafkaProducer) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        producer.send(
            topic, b"value", key=b"key", partition=1, headers=[("trace", b"\x01\xff")], timestamp_ms=1700000000000
        ).get(timeout=10)
        arn = "arn:aws:kafka:us-east-1:000000000000:cluster/local/1"
        async with listening(fake) as endpoint, triggered(broker, source(topic, source_arn=arn), endpoint):
            await until(lambda: bool(fake.events))

        assert fake.events == [
            {
                "eventSource": "aws:kafka",
                "eventSourceArn": arn,
                "bootstrapServers": broker.kafka[0],
                "records": {
                    f"{topic}-1": [
                        {
                            "topic": topic,
                            "partition": 1,
                            "offset": 0,
                            "timestamp": 1700000000000,
                            "timestampType": "CREATE_TIME",
                            "key": "a2V5",
                            "value": "dmFsdWU=",
                            "headers": [{"trace": [1, 255]}],
                        }
                    ]
                },
            }
        ]

    run(scenario())


def test_records_of_a_partition_arrive_in_order_in_batches_of_limited_size(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        sent = [str(number) for number in range(37)]
        send(producer, topic, sent)
        async with listening(fake) as endpoint, triggered(broker, source(topic), endpoint):
            await until(lambda: len(fake.seen) == len(sent))

        assert fake.seen == sent
        assert max(map(len, fake.batches)) <= 10
        assert fake.events[0]["eventSource"] == "SelfManagedKafka"
        assert "eventSourceArn" not in fake.events[0]

    run(scenario())


@pytest.mark.measures_time(reason="a full batch arrives within its window of 1 s")
def test_a_window_gathers_records_until_it_has_passed_or_the_batch_is_full(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        mapping = source(topic, window=1.0, batch_size=5)
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)
            for value in ("a", "b", "c"):
                await asyncio.to_thread(send, producer, topic, [value])
            await until(lambda: bool(fake.events))
            begun = time.monotonic()
            await asyncio.to_thread(send, producer, topic, list("defgh"))
            await until(lambda: len(fake.events) == 2)

        assert fake.batches == [["a", "b", "c"], ["d", "e", "f", "g", "h"]]
        assert time.monotonic() - begun < 1, "a full batch does not wait for its window"

    run(scenario())


def test_a_failed_batch_is_retried_until_it_succeeds_while_other_partitions_continue(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        broken = True

        def behaviour(values: list[str]) -> None:
            if broken and "bad" in values:
                raise RuntimeError("not today")

        fake = FakeLambda(behaviour)
        delays: list[int] = []

        def backoff(failures: int) -> float:
            delays.append(failures)
            return 0.01

        mapping = source(topic, batch_size=1)
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint, backoff) as trigger:
            await asyncio.to_thread(send, producer, topic, ["bad", "after"], 0)
            await until(lambda: fake.seen.count("bad") >= 3)
            await asyncio.to_thread(send, producer, topic, ["elsewhere"], 1)
            await until(lambda: "elsewhere" in fake.seen)
            assert "after" not in fake.seen
            await until(lambda: trigger.status().lag == 2)
            assert "not today" in (trigger.status().trouble or "")
            broken = False
            await until(lambda: "after" in fake.seen)
            await until(lambda: trigger.status().lag == 0)
            assert trigger.status().trouble is None

        assert delays[:3] == [1, 2, 3]

    run(scenario())


def test_a_partial_failure_is_continued_from_the_lowest_failed_offset(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        def behaviour(_: list[str]) -> dict[str, Any]:
            failed = [] if len(fake.events) > 1 else [3, 2]
            return {
                "batchItemFailures": [
                    {"itemIdentifier": {"partition": f"{topic}-0", "offset": offset}} for offset in failed
                ]
            }

        fake = FakeLambda(behaviour)
        send(producer, topic, list("abcde"))
        mapping = source(topic, report_item_failures=True, window=0.5)
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)

        assert fake.batches == [["a", "b", "c", "d", "e"], ["c", "d", "e"]]

    run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": {"partition": "other-0", "offset": 0}}]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": "all"},
    ],
)
def test_an_answer_that_names_no_record_of_the_batch_fails_all_of_it(
    broker: Running, topic: str, producer: KafkaProducer, answer: Any
) -> None:
    async def scenario() -> None:
        fake = FakeLambda(lambda _: answer if len(fake.events) == 1 else {"batchItemFailures": []})
        send(producer, topic, ["a", "b"])
        mapping = source(topic, report_item_failures=True, window=0.3)
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)

        assert fake.batches == [["a", "b"], ["a", "b"]]

    run(scenario())


def test_after_a_restart_it_continues_and_repeats_only_the_batch_that_was_running(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        mapping = source(topic, batch_size=1)
        async with listening(fake) as endpoint:
            send(producer, topic, ["done"])
            async with triggered(broker, mapping, endpoint) as trigger:
                await until(lambda: trigger.status().lag == 0)
                fake.hold = asyncio.Event()
                await asyncio.to_thread(send, producer, topic, ["under way", "waiting"])
                await until(lambda: len(fake.events) == 2)
            fake.hold.set()
            fake.hold = None
            fake.events.clear()

            async with triggered(broker, mapping, endpoint) as trigger:
                await until(lambda: trigger.status().lag == 0)

        assert fake.seen == ["under way", "waiting"]

    run(scenario())


def test_latest_begins_with_new_records_and_misses_none_during_a_restart(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        send(producer, topic, ["long ago"])
        mapping = source(topic, starting_position="LATEST")
        async with listening(fake) as endpoint:
            async with triggered(broker, mapping, endpoint) as trigger:
                await until(lambda: trigger.status().lag == 0)
            send(producer, topic, ["meanwhile"])
            async with triggered(broker, mapping, endpoint):
                await until(lambda: bool(fake.events))

        assert fake.seen == ["meanwhile"]

    run(scenario())


def test_an_unavailable_endpoint_is_waited_for(broker: Running, topic: str, producer: KafkaProducer) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        send(producer, topic, ["a"])
        async with LambdaEndpoint("http://127.0.0.1:1") as closed, triggered(broker, source(topic), closed) as trigger:
            await until(lambda: trigger.status().failures > 1)
            assert trigger.status().trouble
        async with listening(fake) as endpoint, triggered(broker, source(topic), endpoint):
            await until(lambda: fake.seen == ["a"])

    run(scenario())


@pytest.mark.measures_time(reason="the median latency is less than 0.1 s")
def test_a_record_reaches_an_idle_function_within_a_tenth_of_a_second(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    """The median: without a window, this is what the emulator itself adds."""

    async def scenario() -> None:
        fake = FakeLambda()
        taken = []
        async with listening(fake) as endpoint, triggered(broker, source(topic), endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)
            for number in range(15):
                sent = time.monotonic()
                await asyncio.to_thread(send, producer, topic, [str(number)])
                await until(lambda number=number: str(number) in fake.seen)  # type: ignore[misc]
                taken.append(time.monotonic() - sent)

        assert sorted(taken)[len(taken) // 2] < 0.1, taken

    run(scenario())


def test_a_topic_that_does_not_exist_is_reported_and_waited_for(broker: Running) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        missing = f"missing-{uuid.uuid4().hex[:8]}"
        async with listening(fake) as endpoint, triggered(broker, source(missing), endpoint) as trigger:
            await until(lambda: trigger.status().trouble == f"there is no topic {missing}")

    run(scenario())


def test_arbitrary_bytes_and_null_reach_the_function(broker: Running, topic: str, producer: KafkaProducer) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        producer.send(topic, None, key=b"\xff\x00", partition=0).get(timeout=10)
        async with listening(fake) as endpoint, triggered(broker, source(topic), endpoint):
            await until(lambda: bool(fake.events))

        record = fake.events[0]["records"][f"{topic}-0"][0]
        assert (record["key"], record["value"]) == ("/wA=", None)

    run(scenario())
