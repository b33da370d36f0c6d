"""Measures the outbox relay: rows a second, and how long a message takes from commit to consumer.

    make bench-relay

Compared, in the same run, with kafka-python's bare producer without an outbox, and with a simple poller that publishes
a hundred rows every second. Relay, writer and poller run in their own processes, the consumer in this one. A message
contains the time just before its COMMIT, so the figures are a little higher than the time from commit to consumer.
"""

import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.messaging.messages import RESERVATION_EVENTS, ReservationConfirmed, envelope
from common.messaging.outbox import shard_of
from common.stores.postgres import Database
from emulator import services
from functions.outbox_relay.adapters.kafka_publisher import KafkaPublisher
from functions.outbox_relay.adapters.outbox_repository import OutboxRepository
from functions.outbox_relay.usecases.relay import Relay
from functions.outbox_relay.usecases.relay_loop import run
from migrations.__main__ import migrate

ROWS = 20_000
RATES = (10, 100, 1_000)
SECONDS = 10
ROOT = Path(__file__).parents[2]


def body() -> str:
    payload = ReservationConfirmed(
        reservation_id=ReservationId(uuid4()),
        event_id=EventId(uuid4()),
        seat_ids=[SeatId(uuid4()), SeatId(uuid4())],
        confirmed_at=datetime.now(UTC),
    )
    message = envelope(
        payload,
        message_id=uuid4(),
        at=datetime.now(UTC),
        correlation_id="1",
        causation_id=None,
        user_id=UserId(uuid4()),
    )
    return message.to_json()


def insert(connection: psycopg.Connection[object], value: str, headers: str = "{}") -> None:
    key = str(uuid4())
    connection.execute(
        """
        INSERT INTO common.outbox_events
               (message_id, topic, partition_key, shard, aggregate_type, event_type, payload, headers)
        VALUES (gen_random_uuid(), %s, %s, %s, 'Reservation', 'ReservationConfirmed', %s, %s)
        """,
        (RESERVATION_EVENTS, key, shard_of(key), value, headers),
    )


# -- separate processes -----------------------------------------------------------------------------------------------


def relay(conninfo: str, servers: str) -> None:
    run(
        Relay(OutboxRepository(Database(conninfo)), KafkaPublisher({"bootstrap_servers": servers.split(",")}), 1000),
        lambda: True,
    )


def poller(conninfo: str, servers: str) -> None:
    """The simple solution: a hundred rows every second."""
    producer = KafkaProducer(bootstrap_servers=servers.split(","), acks="all")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while True:
            poll_once(connection, producer)
            time.sleep(1)


def poll_once(connection: psycopg.Connection[tuple[object, ...]], producer: KafkaProducer) -> int:
    rows = connection.execute(
        "SELECT id, topic, partition_key, payload, headers FROM common.outbox_events"
        " WHERE published_at IS NULL ORDER BY id LIMIT 100"
    ).fetchall()
    for id_, topic, key, payload, headers in rows:
        sent = [(name, value.encode()) for name, value in headers.items()]  # type: ignore[attr-defined]
        producer.send(topic, key=key.encode(), value=payload.encode(), headers=sent).get(10)  # type: ignore[attr-defined]
        connection.execute("UPDATE common.outbox_events SET published_at = now() WHERE id = %s", (id_,))
    return len(rows)


def writer(conninfo: str, rate: str, seconds: str) -> None:
    """At 1,000 a second, ten rows a transaction, so that the writer is not the limit."""
    at_once = max(1, int(rate) // 100)
    value, began = body(), time.monotonic()
    with psycopg.connect(conninfo) as connection:
        connection.execute("SET synchronous_commit = off")
        for number in range(int(rate) * int(seconds) // at_once):
            time.sleep(max(0.0, began + number * at_once / int(rate) - time.monotonic()))
            for _ in range(at_once):
                insert(connection, value, f'{{"committed": "{time.time()}"}}')
            connection.commit()


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "layers/common/python")])
    environment = {**os.environ, "PYTHONPATH": path, "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
    child = subprocess.Popen(
        [sys.executable, "-m", "tools.bench.relay", *arguments], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


# -- measurements -----------------------------------------------------------------------------------------------------


def bare_rate(servers: Sequence[str]) -> float:
    producer = KafkaProducer(bootstrap_servers=list(servers), acks="all", enable_idempotence=True, linger_ms=5)
    value = body().encode()
    producer.partitions_for(RESERVATION_EVENTS)
    began = time.perf_counter()
    sent = [producer.send(RESERVATION_EVENTS, key=str(uuid4()).encode(), value=value) for _ in range(ROWS)]
    producer.flush()
    for each in sent:
        each.get(10)
    took = time.perf_counter() - began
    producer.close()
    return ROWS / took


def fill(url: str, rows: int) -> None:
    value = body()
    with psycopg.connect(url) as connection:
        connection.execute("SET synchronous_commit = off")
        for _ in range(rows):
            insert(connection, value)


def relay_rate(url: str, servers: Sequence[str]) -> float:
    fill(url, ROWS)
    publisher = KafkaPublisher({"bootstrap_servers": list(servers)})
    drainer = Relay(
        OutboxRepository(Database(psycopg.conninfo.make_conninfo(url, options="-c synchronous_commit=off"))),
        publisher,
        1000,
    )
    publisher.connect()
    drained, began = 0, time.perf_counter()
    while done := drainer.sweep().published:
        drained += done
    took = time.perf_counter() - began
    publisher.close()
    return drained / took


def poller_rate(url: str, servers: Sequence[str]) -> float:
    fill(url, 500)
    producer = KafkaProducer(bootstrap_servers=list(servers), acks="all")
    with psycopg.connect(url, autocommit=True) as connection:
        drained, began = 0, time.perf_counter()
        while done := poll_once(connection, producer):
            drained += done
            time.sleep(1)
        took = time.perf_counter() - began
    producer.close()
    return drained / took


class Consumer:
    """Reads new messages and their latency."""

    def __init__(self, servers: Sequence[str]) -> None:
        # Fetches like the emulator's event source mappings.
        self._consumer = KafkaConsumer(bootstrap_servers=list(servers), group_id=None, fetch_max_wait_ms=100)
        partitions = [
            TopicPartition(RESERVATION_EVENTS, each) for each in self._consumer.partitions_for_topic(RESERVATION_EVENTS)
        ]
        self._consumer.assign(partitions)
        self._consumer.seek_to_end(*partitions)
        for partition in partitions:
            self._consumer.position(partition)

    def latencies(self, count: int, seconds: float) -> list[float]:
        """Milliseconds of `count` messages, or of those that arrived within `seconds`."""
        found: list[float] = []
        deadline = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            for records in self._consumer.poll(timeout_ms=200).values():
                now = time.time()
                found.extend((now - float(dict(record.headers)["committed"])) * 1000 for record in records)
        return found


def latency(kind: str, rate: int, conninfo: str, url: str, servers: Sequence[str]) -> str:
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE common.outbox_events")
    consumer, count = Consumer(servers), rate * SECONDS
    with process(kind, conninfo, ",".join(servers)):
        with process("writer", url, "10", "1"):  # warm-up, until it is connected
            consumer.latencies(10, 30)
        with process("writer", url, str(rate), str(SECONDS)):
            found = consumer.latencies(count, SECONDS + 15)
    if len(found) < count:
        return f"falls behind ({len(found):,} of {count:,} in {SECONDS + 15} s)"
    ordered = sorted(found)
    return f"{statistics.median(ordered):.0f} / {ordered[int(len(ordered) * 0.95)]:.0f}"


def main() -> None:
    logging.disable(logging.CRITICAL)
    broker = "Apache Kafka" if os.environ.get("EMULATOR_KAFKA") == "apache" else "Tansu"
    wanted: dict[str, dict[str, Any]] = {
        "postgres": {"database": "bench"},
        "kafka": {"topics": {RESERVATION_EVENTS: 6}},
    }
    with tempfile.TemporaryDirectory() as folder, services.start(wanted, Path(folder)) as running:
        url, servers = running.postgres, running.kafka
        migrate(url)
        login = psycopg.conninfo.make_conninfo(url, user="relay")
        bare_rate(servers)  # warm-up of the broker
        bare, drained, plain = bare_rate(servers), relay_rate(url, servers), poller_rate(url, servers)
        print(f"Postgres and {broker} on {os.cpu_count()} CPUs, messages of {len(body())} bytes\n")
        print("| | rows a second | ratio to the bare producer |\n|---|---:|---:|")
        print(f"| kafka-python's bare producer, idempotent, acks=all | {bare:,.0f} | 1.00 |")
        print(f"| one relay, draining {ROWS:,} rows | {drained:,.0f} | {drained / bare:.2f} |")
        print(f"| poller, a hundred rows every second | {plain:,.0f} | {plain / bare:.2f} |")
        print("\n| commit to consumed, p50 / p95 ms | relay | poller |\n|---|---:|---:|")
        for rate in RATES:
            relay_ms, poller_ms = (latency(kind, rate, login, url, servers) for kind in ("relay", "poller"))
            print(f"| {rate:,} a second | {relay_ms} | {poller_ms} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        roles: dict[str, Callable[..., None]] = {"relay": relay, "poller": poller, "writer": writer}
        roles[sys.argv[1]](*sys.argv[2:])
    else:
        main()
