"""Builds the event that an event source mapping sends a function for the records of a topic."""

import json
from collections.abc import Sequence
from typing import Any

from emulator.stack import KafkaSource
from emulator.triggers import kafka_event

SOURCE = KafkaSource("Test", "TestFunction", "", "test", "arn:aws:kafka:local:000000000000:cluster/test")


def msk_event(records: Sequence[Any]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(kafka_event.event(SOURCE, ["local:9092"], records))
    return event
