"""Relays as processes on a real Postgres and broker: killed, relieved, idle, and without a broker for a while."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from uuid import UUID, uuid4

import psutil
import psycopg
import pytest

from common.messaging.messages import RESERVATION_EVENTS, Envelope, ReservationConfirmed
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from emulator import services
from functions.outbox_relay.adapters.kafka_publisher import KafkaPublisher
from functions.outbox_relay.adapters.outbox_repository import OutboxRepository
from functions.outbox_relay.usecases.relay import Relay
from functions.outbox_relay.usecases.relay_loop import run
from tests.conftest import PASSWORD
from tools.simulation.relay_process import RelayProcess, relay_login
from tools.simulation.topic import Topic


@pytest.fixture(scope="module")
def kafka(state_folder: Path) -> Iterator[services.Running]:
    """A broker of its own: it is stopped and resumed here."""
    with services.start({"kafka": {"topics": {RESERVATION_EVENTS: 2}}}, state_folder / "kafka-of-relays") as running:
        yield running


@pytest.fixture
def start(postgres_url: str, superuser: Database, kafka: services.Running) -> Iterator[Callable[..., RelayProcess]]:
    """Starts a relay in a process of its own; those that still live at the end are killed."""
    started: list[RelayProcess] = []

    def begin(**life: float) -> RelayProcess:
        started.append(RelayProcess(relay_login(postgres_url, PASSWORD), kafka.kafka, **life))
        return started[-1]

    yield begin
    for relay in started:
        relay.kill()


class Writer:
    """Commits messages at a steady rate in a thread, each numbered within its key."""

    def __init__(self, database: Database, a_second: float) -> None:
        self._database = database
        self._pause = 1 / a_second
        self.written = 0
        self.keys = [uuid4() for _ in range(40)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        while not self._stop.wait(self._pause):
            number, which = divmod(self.written, len(self.keys))
            payload = ReservationConfirmed(
                reservation_id=self.keys[which],
                event_id=UUID(int=number),
                seat_ids=[uuid4()],
                confirmed_at=datetime(2026, 5, 1, tzinfo=UTC),
            )
            with self._database.transaction() as connection:
                Outbox().write(connection, payload, user_id=uuid4())
            self.written += 1

    @contextmanager
    def at_work(self) -> Iterator["Writer"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(10)


@pytest.fixture
def writer(postgres_url: str, superuser: Database) -> Iterator[Writer]:
    # How fast a disk can sync is not what is tested.
    quick = psycopg.conninfo.make_conninfo(postgres_url, options="-c synchronous_commit=off")
    database = Database(quick)
    yield Writer(database, 200)
    database.close()


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def published(superuser: Database) -> int:
    row = superuser.row("SELECT count(*) AS n FROM common.outbox_events WHERE published_at IS NOT NULL")
    return int(row["n"]) if row else 0


def go_on(superuser: Database, writer: Writer) -> None:
    """Until thirty messages more are written and published."""
    more = writer.written + 30
    until(lambda: published(superuser) >= more, 20)


def connected(superuser: Database) -> int:
    """Relays that have begun: they reach for the broker first and for Postgres then."""
    return len(superuser.rows("SELECT FROM pg_stat_activity WHERE usename = 'relay'"))


def longest_wait(superuser: Database) -> float:
    """Seconds between a commit and its mark, at the worst."""
    row = superuser.row(
        "SELECT extract(epoch FROM max(published_at - created_at))::float8 AS s FROM common.outbox_events"
    )
    assert row is not None
    return float(row["s"])


def assert_all_there_in_order(topic: Topic, writer: Writer) -> list[UUID]:
    """Every message that was committed is there, each key's first appearances in order; all ids, with repeats."""
    seen: dict[bytes, list[int]] = {str(key).encode(): [] for key in writer.keys}
    ids: list[UUID] = []
    for record in topic.read():
        if record.key not in seen:
            continue  # a late repeat of the test before
        message = Envelope.model_validate_json(record.value)
        if message.event_id not in ids:
            seen[record.key].append(UUID(message.payload["eventId"]).int)
        ids.append(message.event_id)
    assert len(set(ids)) == writer.written
    assert all(numbers == list(range(len(numbers))) for numbers in seen.values())
    return ids


def warm_up(superuser: Database, writer: Writer) -> None:
    """Until a relay publishes; what waited for it to start is not measured."""
    until(lambda: published(superuser) >= 1, 20)
    with superuser.transaction() as connection:
        connection.execute("UPDATE common.outbox_events SET created_at = now()")
    until(lambda: writer.written - published(superuser) < 20, 10)
    with superuser.transaction() as connection:
        connection.execute("UPDATE common.outbox_events SET created_at = published_at WHERE published_at IS NOT NULL")


@pytest.mark.timeout(90)
def test_when_the_working_relay_is_killed_the_other_has_its_shards_within_two_seconds(
    superuser: Database, writer: Writer, start: Callable[..., RelayProcess], kafka: services.Running
) -> None:
    with Topic(kafka.kafka, RESERVATION_EVENTS) as topic:
        start(shift=0)  # stands by
        with writer.at_work():
            warm_up(superuser, writer)
            for _ in range(3):
                working = start()
                until(lambda: connected(superuser) == 2, 40)
                go_on(superuser, writer)
                working.kill()
                go_on(superuser, writer)
        until(lambda: published(superuser) == writer.written, 5)
        assert longest_wait(superuser) < 2
        assert_all_there_in_order(topic, writer)


@pytest.mark.timeout(90)
def test_a_relay_that_ends_hands_over_without_a_gap_or_a_repeat(
    superuser: Database, writer: Writer, start: Callable[..., RelayProcess], kafka: services.Running
) -> None:
    with Topic(kafka.kafka, RESERVATION_EVENTS) as topic:
        leaving = start()
        with writer.at_work():
            warm_up(superuser, writer)
            start()
            until(lambda: connected(superuser) == 2, 40)
            leaving.end()
            go_on(superuser, writer)
        until(lambda: published(superuser) == writer.written, 5)
        assert leaving.process.returncode == 0
        assert longest_wait(superuser) < 2
        ids = assert_all_there_in_order(topic, writer)
        assert len(ids) == len(set(ids))


@pytest.mark.timeout(120)
def test_a_broker_that_is_gone_for_a_while_costs_neither_a_message_nor_order_nor_memory_nor_threads(
    superuser: Database, writer: Writer, start: Callable[..., RelayProcess], kafka: services.Running
) -> None:
    child = kafka["kafka"].child
    if child is None:
        pytest.skip("the broker is not ours to stop")
    broker = psutil.Process(child.pid)
    with Topic(kafka.kafka, RESERVATION_EVENTS) as topic:
        relay = start()
        with writer.at_work():
            warm_up(superuser, writer)
            threads = relay.threads
            broker.send_signal(SIGSTOP)
            try:
                stopped_at = writer.written
                until(lambda: writer.written > stopped_at + 600, 60)
                early = relay.megabytes
                until(lambda: writer.written > stopped_at + 2400, 40)
                assert relay.megabytes < early + 20
                assert published(superuser) < stopped_at + 100
            finally:
                broker.send_signal(SIGCONT)
        until(lambda: published(superuser) == writer.written, 30)
        until(lambda: relay.threads <= threads, 10)  # producers that were given up are gone
        assert_all_there_in_order(topic, writer)


def test_an_idle_minute_costs_six_hundred_small_reads_and_a_standby_a_fifth_of_it(
    database_of: Callable[[str], Database], kafka: services.Running
) -> None:
    class Counting(Database):
        asked = 0

        def rows(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
            self.asked += 1
            return super().rows(sql, parameters)  # type: ignore[arg-type]

    def reads_in_a_minute(shift: float) -> int:
        real = database_of("relay")
        database, publisher = Counting(real._conninfo), KafkaPublisher({"bootstrap_servers": kafka.kafka})
        slept = [0.0]
        run(
            Relay(OutboxRepository(database), publisher, 100),
            lambda: slept[0] < 60,
            shift_seconds=shift,
            sleep=lambda seconds: slept.append(slept.pop() + seconds),
        )
        database.close()
        publisher.close()
        return database.asked

    assert 300 < reads_in_a_minute(shift=60) < 620
    assert 60 < reads_in_a_minute(shift=0) < 140
