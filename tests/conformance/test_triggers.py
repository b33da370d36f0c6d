"""What invokes functions besides requests: Kafka and schedules."""

import base64
import os
from typing import Any

import pytest
from kafka import KafkaProducer

from tools.conformance.emulator_client import EmulatorClient
from tools.conformance.run_setup import KAFKA_VARIABLE

_TOPIC = "conformance.events"


@pytest.fixture(autouse=True, scope="module")
def skip_without_triggers(client: EmulatorClient) -> None:
    if not client.has_triggers:
        pytest.skip("the emulator has neither Kafka nor schedules")


@pytest.fixture(scope="module")
def kafka_events(client: EmulatorClient) -> list[Any]:
    """What the function received after one record was sent."""
    producer = KafkaProducer(bootstrap_servers=os.environ[KAFKA_VARIABLE].split(","))
    try:
        producer.send(_TOPIC, key=b"k", value=client.name.encode(), headers=[("h", b"v")]).get(10)
    finally:
        producer.close()
    return client.recorder.await_records("kafka", 1, 20)


def test_kafka(kafka_events: list[Any]) -> None:
    """a record sent to the topic calls the function ([kafka])"""
    assert kafka_events, "no call in 20 s"


def test_kafka_event(client: EmulatorClient, kafka_events: list[Any]) -> None:
    """the event has eventSource, bootstrapServers and records by topic-partition, in base64 ([kafka])"""
    assert kafka_events, "no event came"
    event = kafka_events[0]
    source = (event["eventSource"], list(event["records"]))
    assert source == ("SelfManagedKafka", [f"{_TOPIC}-0"]), f"{source!r}"
    assert event["bootstrapServers"], "no bootstrapServers"
    record = event["records"][f"{_TOPIC}-0"][0]
    got = (record["topic"], record["partition"], record["key"], base64.b64decode(record["value"]).decode())
    assert got == (_TOPIC, 0, "aw==", client.name), f"{got!r}"
    assert record["headers"] == [{"h": [118]}], f"headers {record['headers']!r}"


@pytest.mark.slow
def test_schedule(client: EmulatorClient) -> None:
    """rate(1 minute) calls the function with its Input ([scheduler])"""
    events = client.recorder.await_records("schedule", 1, 75)
    assert events, "no call in 75 s"
    assert events[0] == {"key": "schedule"}, f"{events[0]!r}"
