"""A consumer and its poller in a process that can be killed: `… consumer_process CONNINFO SERVERS PARTITION…`.

The poller works like an event source mapping: batches of one partition, failed records again, offsets committed after
success. The consumer is the real one. Its effect is a row for each message, so a message applied twice leaves two.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from signal import SIGKILL, SIGTERM
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from common.messaging.consumer import Consumer
from common.messaging.messages import RESERVATION_EVENTS, Envelope, ReservationConfirmed
from common.stores.postgres import Connection, Database
from emulator.processes import exit_with_parent
from emulator.triggers import kafka_event
from tools.simulation.msk_event import msk_event
from tools.simulation.relay_process import PYTHONPATH, ROOT

GROUP = "chaos"


class ConsumerProcess:
    def __init__(self, conninfo: str, servers: Sequence[str], partitions: Sequence[int]) -> None:
        command = [sys.executable, "-m", "tools.simulation.chaos.consumer_process"]
        self.process = subprocess.Popen(
            [*command, conninfo, ",".join(servers), *map(str, partitions)],
            env={**os.environ, "PYTHONPATH": PYTHONPATH, "POWERTOOLS_LOG_LEVEL": "CRITICAL"},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=exit_with_parent(SIGTERM),
        )

    def kill(self) -> None:
        self.process.send_signal(SIGKILL)
        self.process.wait(10)


def add_effect(connection: Connection, message: Envelope, payload: ReservationConfirmed) -> None:
    connection.execute(
        "INSERT INTO event_service.chaos_effects (message_id, key, number) VALUES (%s, %s, %s)",
        (message.event_id, str(payload.reservation_id), payload.event_id.int),
    )


def poll_and_consume(consume: Consumer, servers: list[str], partitions: Sequence[int]) -> None:
    assigned = [TopicPartition(RESERVATION_EVENTS, number) for number in partitions]
    poller = KafkaConsumer(
        bootstrap_servers=servers,
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=100,
        fetch_max_wait_ms=100,
        bootstrap_timeout_ms=5_000,
    )
    poller.assign(assigned)
    while True:
        for partition, records in poller.poll(timeout_ms=500).items():
            done = _apply(consume, records)
            if done < len(records):
                poller.seek(partition, records[done].offset)
                time.sleep(0.5)
            if done:
                poller.commit({partition: OffsetAndMetadata(records[done - 1].offset + 1, "", -1)})


def _apply(consume: Consumer, records: Sequence[Any]) -> int:
    """How many records were applied, counted from the first."""
    failed = kafka_event.first_failed(json.dumps(consume(msk_event(records))).encode(), records)
    return sum(failed is None or record.offset < failed for record in records)


def main() -> None:
    conninfo, servers, *partitions = sys.argv[1:]
    consume = Consumer("events", Database(conninfo), {ReservationConfirmed: add_effect})
    while True:
        try:
            poll_and_consume(consume, servers.split(","), [int(each) for each in partitions])
        except KafkaError:
            time.sleep(0.5)  # uncommitted records are delivered again


if __name__ == "__main__":
    main()
