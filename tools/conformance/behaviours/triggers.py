"""What calls functions besides requests: Kafka and schedules."""

import base64
import os
from typing import Any

from tools.conformance.behaviour import behaviour, expect, require
from tools.conformance.emulator_client import EmulatorClient

_AREA = "Triggers"
_TOPIC = "conformance.events"


def _send(client: EmulatorClient) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=os.environ["EMULATOR_KAFKA_BOOTSTRAP"].split(","))
    try:
        producer.send(_TOPIC, key=b"k", value=client.name.encode(), headers=[("h", b"v")]).get(10)
    finally:
        producer.close()


def _records(event: Any) -> list[Any]:
    return [record for records in event["records"].values() for record in records]


@behaviour(_AREA, "a record sent to the topic calls the function", "kafka", feature="kafka", begin=_send)
def _kafka(client: EmulatorClient) -> None:
    require(client.recorder.await_records("kafka", 1, 20), "no call in 20 s")


@behaviour(
    _AREA,
    "the event has eventSource, bootstrapServers and records by topic-partition, in base64",
    "kafka",
    feature="kafka",
    begin=_send,
)
def _kafka_event(client: EmulatorClient) -> None:
    events = client.recorder.await_records("kafka", 1, 20)
    require(events, "no event came")
    event = events[0]
    expect((event["eventSource"], list(event["records"])), ("SelfManagedKafka", [f"{_TOPIC}-0"]), "")
    require(event["bootstrapServers"], "no bootstrapServers")
    record = _records(events[-1])[-1]
    got = (record["topic"], record["partition"], record["key"], base64.b64decode(record["value"]).decode())
    expect(got, (_TOPIC, 0, "aw==", client.name), "")
    expect(record["headers"], [{"h": [118]}], "headers")


@behaviour(
    _AREA,
    "rate(1 minute) calls the function with its Input",
    "scheduler",
    feature="schedules",
    late=True,
    slow=True,
)
def _schedule(client: EmulatorClient) -> None:
    events = client.recorder.await_records("schedule", 1, 75)
    require(events, "no call in 75 s")
    expect(events[0], {"key": "schedule"}, "")
