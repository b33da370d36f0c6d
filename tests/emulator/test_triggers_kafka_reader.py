"""Several Kafka event source mappings behind one reader, on real brokers."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from emulator.activity import Activity
from emulator.services import Running
from emulator.triggers.kafka import KafkaTrigger
from emulator.triggers.kafka_reader import KafkaReader
from tests.emulator.kafka_lambda import FakeLambda, listening, run, send, source, until


def test_mappings_of_one_topic_each_get_every_record_and_commit_in_their_own_group(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        sent = [str(number) for number in range(20)]
        send(producer, topic, sent[:10])
        fakes = [FakeLambda(), FakeLambda()]
        async with listening(fakes[0]) as first, listening(fakes[1]) as second:
            triggers = [
                KafkaTrigger(source(topic, name=f"Orders{number}", group=f"group-{number}"), broker.kafka, endpoint)
                for number, endpoint in enumerate((first, second))
            ]
            reader = KafkaReader(broker.kafka, triggers)
            await reader.start()
            await until(lambda: all(fake.seen for fake in fakes))
            await asyncio.to_thread(send, producer, topic, sent[10:])
            await until(lambda: all(len(fake.seen) == 20 for fake in fakes))
            await until(lambda: all(trigger.status().lag == 0 for trigger in triggers))
            await reader.close()
        assert [fake.seen for fake in fakes] == [sent, sent]
        assert committed(broker, topic) == {"group-0": 20, "group-1": 20}

    run(scenario())


def test_a_blocked_mapping_delays_no_other_and_misses_nothing(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    sent = [str(number) for number in range(3_000)]  # more than a mapping buffers

    async def scenario() -> None:
        blocked, free = FakeLambda(), FakeLambda()
        blocked.hold = asyncio.Event()
        async with listening(blocked) as first, listening(free) as second:
            triggers = [
                KafkaTrigger(source(topic, name=name, group=name, batch_size=100), broker.kafka, endpoint)
                for name, endpoint in (("blocked", first), ("free", second))
            ]
            reader = KafkaReader(broker.kafka, triggers)
            await reader.start()
            await asyncio.to_thread(send, producer, topic, sent)
            await until(lambda: len(free.seen) == len(sent))
            assert len(blocked.batches) == 1
            blocked.hold.set()
            await until(lambda: len(blocked.seen) >= len(sent))
            await reader.close()
        assert free.seen == sent
        assert blocked.seen == sent

    run(scenario())


def test_a_missing_topic_does_not_stop_other_mappings(broker: Running, topic: str, producer: KafkaProducer) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        send(producer, topic, ["a"])
        async with listening(fake) as endpoint:
            triggers = [KafkaTrigger(source(name), broker.kafka, endpoint) for name in (f"no-{topic}", topic)]
            reader = KafkaReader(broker.kafka, triggers)
            await reader.start()
            await until(lambda: fake.seen == ["a"])
            assert triggers[0].status().trouble == f"there is no topic no-{topic}"
            assert triggers[1].status().trouble is None
            await reader.close()

    run(scenario())


class Clock:
    """Replaces the reader's `time` module, so that hours pass at once."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


class RecordingActivity(Activity):
    """An activity that records when the reader is idle."""

    def __init__(self) -> None:
        super().__init__()
        self.used = False
        self.idle = threading.Event()

    def within(self, seconds: float) -> bool:
        return self.used

    def wait(self, seconds: float) -> None:
        self.idle.set()
        super().wait(3_600)


@contextmanager
def moved_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr("emulator.triggers.kafka_reader.time", clock)
    yield clock


def test_an_idle_reader_reads_at_once_when_the_stack_is_used(
    broker: Running, topic: str, producer: KafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(clock: Clock) -> None:
        fake, activity = FakeLambda(), RecordingActivity()
        async with listening(fake) as endpoint:
            trigger = KafkaTrigger(source(topic), broker.kafka, endpoint)
            reader = KafkaReader(broker.kafka, [trigger], activity)
            await reader.start()
            await until(lambda: trigger.status().lag == 0)
            clock.ahead = 3_600
            assert await asyncio.to_thread(activity.idle.wait, 20)
            await asyncio.to_thread(send, producer, topic, ["a"])
            assert fake.seen == []  # the reader waits for an hour, unless it is woken
            activity.used = True
            activity.note()
            await until(lambda: fake.seen == ["a"])
            activity.note()
            await reader.close()

    with moved_clock(monkeypatch) as clock:
        run(scenario(clock))


def test_closing_wakes_an_idle_reader(broker: Running, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(clock: Clock) -> None:
        fake, activity = FakeLambda(), RecordingActivity()
        async with listening(fake) as endpoint:
            reader = KafkaReader(broker.kafka, [KafkaTrigger(source(topic), broker.kafka, endpoint)], activity)
            await reader.start()
            clock.ahead = 3_600
            assert await asyncio.to_thread(activity.idle.wait, 20)
            began = time.monotonic()
            await reader.close()
            assert time.monotonic() - began < 8  # joining the thread gives up after ten seconds

    with moved_clock(monkeypatch) as clock:
        run(scenario(clock))


def committed(broker: Running, topic: str) -> dict[str, Any]:
    admin = KafkaAdminClient(bootstrap_servers=broker.kafka)
    try:
        groups = admin.list_group_offsets({"group-0": [TopicPartition(topic, 0)]}) | admin.list_group_offsets(
            {"group-1": [TopicPartition(topic, 0)]}
        )
    finally:
        admin.close()
    return {name: offsets[TopicPartition(topic, 0)].offset for name, offsets in groups.items()}
