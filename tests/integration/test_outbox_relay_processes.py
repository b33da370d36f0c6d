"""Relay processes on a real Postgres and broker: killed, replaced, idle, and while the broker is unavailable."""

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

from common.domain.ids import EventId, ReservationId, SeatId, UserId
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
    """A broker that only these tests use: they stop and resume it."""
    with services.start({"kafka": {"topics": {RESERVATION_EVENTS: 2}}}, state_folder / "kafka-of-relays") as running:
        yield running


@pytest.fixture
def start(postgres_url: str, superuser: Database, kafka: services.Running) -> Iterator[Callable[..., RelayProcess]]:
    """Starts a relay in its own process, and kills at the end those that still run."""
    started: list[RelayProcess] = []

    def begin(**options: float) -> RelayProcess:
        started.append(RelayProcess(relay_login(postgres_url, PASSWORD), kafka.kafka, **options))
        return started[-1]

    yield begin
    for relay in started:
        relay.kill()


class Writer:
    """Commits messages at a steady rate in a thread, numbered within each key."""

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
                reservation_id=ReservationId(self.keys[which]),
                event_id=EventId(UUID(int=number)),
                seat_ids=[SeatId(uuid4())],
                confirmed_at=datetime(2026, 5, 1, tzinfo=UTC),
            )
            with self._database.transaction() as connection:
                Outbox().write(connection, payload, user_id=UserId(uuid4()))
            self.written += 1

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(10)


@pytest.fixture
def writer(postgres_url: str, superuser: Database) -> Iterator[Writer]:
    # The speed of the disk is not tested.
    conninfo = psycopg.conninfo.make_conninfo(postgres_url, options="-c synchronous_commit=off")
    database = Database(conninfo)
    yield Writer(database, 200)
    database.close()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not true after {seconds:g} s"
        time.sleep(0.02)


def published(superuser: Database) -> int:
    row = superuser.row("SELECT count(*) AS n FROM common.outbox_events WHERE published_at IS NOT NULL")
    return int(row["n"]) if row else 0


def wait_for_progress(superuser: Database, writer: Writer) -> None:
    """Waits until thirty more messages are written and published."""
    target = writer.written + 30
    wait_until(lambda: published(superuser) >= target, 20)


def connected_relays(superuser: Database) -> int:
    """How many relays have started: they connect to the broker first, then to Postgres."""
    return len(superuser.rows("SELECT FROM pg_stat_activity WHERE usename = 'relay'"))


def longest_wait(superuser: Database) -> float:
    """The longest time between a commit and its `published_at`, in seconds."""
    row = superuser.row(
        "SELECT extract(epoch FROM max(published_at - created_at))::float8 AS s FROM common.outbox_events"
    )
    assert row is not None
    return float(row["s"])


def assert_all_published_in_order(topic: Topic, writer: Writer) -> list[UUID]:
    """Every committed message was published, in order for each key. Returns all message ids, with repeats."""
    seen: dict[bytes, list[int]] = {str(key).encode(): [] for key in writer.keys}
    ids: list[UUID] = []
    for record in topic.read():
        if record.key not in seen:
            continue  # a late repeat from the previous test
        message = Envelope.model_validate_json(record.value)
        if message.event_id not in ids:
            seen[record.key].append(UUID(message.payload["eventId"]).int)
        ids.append(message.event_id)
    assert len(set(ids)) == writer.written
    assert all(numbers == list(range(len(numbers))) for numbers in seen.values())
    return ids


def warm_up(superuser: Database, writer: Writer) -> None:
    """Waits until a relay publishes, and excludes the messages that waited for its start from the measurement."""
    wait_until(lambda: published(superuser) >= 1, 20)
    with superuser.transaction() as connection:
        connection.execute("UPDATE common.outbox_events SET created_at = now()")
    wait_until(lambda: writer.written - published(superuser) < 20, 10)
    with superuser.transaction() as connection:
        connection.execute("UPDATE common.outbox_events SET created_at = published_at WHERE published_at IS NOT NULL")


@pytest.mark.timeout(90)
def test_when_the_active_relay_is_killed_the_standby_takes_its_shards_within_two_seconds(
    superuser: Database, writer: Writer, start: Callable[..., RelayProcess], kafka: services.Running
) -> None:
    with Topic(kafka.kafka, RESERVATION_EVENTS) as topic:
        start(shift=0)  # on standby
        with writer.writing():
            warm_up(superuser, writer)
            for _ in range(3):
                active = start()
                wait_until(lambda: connected_relays(superuser) == 2, 40)
                wait_for_progress(superuser, writer)
                active.kill()
                wait_for_progress(superuser, writer)
        wait_until(lambda: published(superuser) == writer.written, 5)
        assert longest_wait(superuser) < 2
        assert_all_published_in_order(topic, writer)


@pytest.mark.timeout(90)
def test_a_relay_that_ends_hands_over_without_a_delay_or_a_repeat(
    superuser: Database, writer: Writer, start: Callable[..., RelayProcess], kafka: services.Running
) -> None:
    with Topic(kafka.kafka, RESERVATION_EVENTS) as topic:
        ending = start()
        with writer.writing():
            warm_up(superuser, writer)
            start()
            wait_until(lambda: connected_relays(superuser) == 2, 40)
            ending.end()
            wait_for_progress(superuser, writer)
        wait_until(lambda: published(superuser) == writer.written, 5)
        assert ending.process.returncode == 0
        assert longest_wait(superuser) < 2
        ids = assert_all_published_in_order(topic, writer)
        assert len(ids) == len(set(ids))


@pytest.mark.timeout(120)
def test_a_broker_outage_loses_no_message_keeps_the_order_and_leaks_no_memory_or_threads(
    superuser: Database, writer: Writer, start: Callable[..., RelayProcess], kafka: services.Running
) -> None:
    child = kafka["kafka"].child
    if child is None:
        pytest.skip("the broker is not a child process that this test can stop")
    broker = psutil.Process(child.pid)
    with Topic(kafka.kafka, RESERVATION_EVENTS) as topic:
        relay = start()
        with writer.writing():
            warm_up(superuser, writer)
            threads_before = relay.threads
            broker.send_signal(SIGSTOP)
            try:
                stopped_at = writer.written
                wait_until(lambda: writer.written > stopped_at + 600, 60)
                early = relay.megabytes
                wait_until(lambda: writer.written > stopped_at + 2400, 40)
                assert relay.megabytes < early + 20
                assert published(superuser) < stopped_at + 100
            finally:
                broker.send_signal(SIGCONT)
        wait_until(lambda: published(superuser) == writer.written, 30)
        wait_until(lambda: relay.threads <= threads_before, 10)  # closed producers ended their threads
        assert_all_published_in_order(topic, writer)


def test_an_idle_relay_reads_six_hundred_times_a_minute_and_a_standby_a_fifth_of_that(
    database_of: Callable[[str], Database], kafka: services.Running
) -> None:
    class CountingDatabase(Database):
        reads = 0

        def rows(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
            self.reads += 1
            return super().rows(sql, parameters)  # type: ignore[arg-type]

    def reads_in_a_minute(shift: float) -> int:
        real = database_of("relay")
        database, publisher = CountingDatabase(real._conninfo), KafkaPublisher({"bootstrap_servers": kafka.kafka})
        slept = [0.0]
        run(
            Relay(OutboxRepository(database), publisher, 100),
            lambda: slept[0] < 60,
            shift_seconds=shift,
            sleep=lambda seconds: slept.append(slept.pop() + seconds),
        )
        database.close()
        publisher.close()
        return database.reads

    assert 300 < reads_in_a_minute(shift=60) < 620
    assert 60 < reads_in_a_minute(shift=0) < 140
