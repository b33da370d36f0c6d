"""Outbox, relay and consumer on a real Postgres and broker: published if and only if committed, applied once."""

import base64
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.domain.shared_errors import NotFound, ServiceUnavailable, StoreUnavailable
from common.messaging.consumer import Consumer
from common.messaging.messages import DEAD_LETTERS, RESERVATION_EVENTS, Envelope, ReservationConfirmed
from common.messaging.outbox import SHARDS, Outbox, shard_of
from common.stores.postgres import Connection, Database
from functions.outbox_relay.adapters.kafka_publisher import ANSWER_SECONDS, KafkaPublisher
from functions.outbox_relay.adapters.outbox_repository import OutboxRepository
from functions.outbox_relay.domain.outbox_row import OutboxRow
from functions.outbox_relay.domain.publisher import BrokerUnavailable
from functions.outbox_relay.usecases.relay import Pass, Relay
from tests.support.concurrently import concurrently
from tools.simulation.topic import Topic

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)


def confirmed(reservation_id: UUID, note: int = 0) -> ReservationConfirmed:
    return ReservationConfirmed(
        reservation_id=ReservationId(reservation_id),
        event_id=EventId(UUID(int=note)),
        seat_ids=[SeatId(uuid4())],
        confirmed_at=NOW,
    )


def write(database: Database, *payloads: ReservationConfirmed) -> None:
    with database.transaction() as connection:
        for payload in payloads:
            Outbox().write(connection, payload, user_id=UserId(uuid4()))


def drain_all(relay: Relay) -> int:
    """Sweep until nothing more can be published now. Returns how many rows were published."""
    published = 0
    while done := relay.sweep().published:
        published += done
    return published


class FakePublisher:
    """Keeps the rows it is sent, except those for which `rejects` or `unavailable` is true."""

    def __init__(
        self,
        rejects: Callable[[OutboxRow], bool] = lambda row: False,
        unavailable: Callable[[OutboxRow], bool] = lambda row: False,
    ) -> None:
        self.sent: list[OutboxRow] = []
        self.rejects = rejects
        self.unavailable = unavailable

    def connect(self) -> None:
        """Never fails."""

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        outcomes: list[Exception | None] = []
        for row in rows:
            if self.rejects(row):
                outcomes.append(ValueError("too large"))
            elif self.unavailable(row):
                outcomes.append(BrokerUnavailable("no leader"))
            else:
                self.sent.append(row)
                outcomes.append(None)
        return outcomes


@pytest.fixture
def writer(database_of: Callable[[str], Database]) -> Database:
    return database_of("reservation_service")


@pytest.fixture
def publisher(kafka_servers: list[str]) -> Iterator[KafkaPublisher]:
    publisher = KafkaPublisher({"bootstrap_servers": kafka_servers})
    yield publisher
    publisher.close()


@pytest.fixture
def topic(kafka_servers: list[str]) -> Iterator[Topic]:
    with Topic(kafka_servers, RESERVATION_EVENTS) as topic:
        yield topic


def test_committed_messages_are_published_once_and_in_order_for_each_key(
    writer: Database, database_of: Callable[[str], Database], publisher: KafkaPublisher, topic: Topic
) -> None:
    keys = [uuid4() for _ in range(10)]
    for note in range(10):
        write(writer, *(confirmed(key, note) for key in keys))
    relay = Relay(OutboxRepository(database_of("relay")), publisher, batch=1000)
    assert drain_all(relay) == 100
    assert drain_all(relay) == 0
    records = topic.read()
    assert len(records) == 100
    for key in keys:
        notes = [
            UUID(Envelope.model_validate_json(record.value).payload["eventId"]).int
            for record in records
            if record.key == str(key).encode()
        ]
        assert notes == list(range(10))


def test_messages_of_a_rolled_back_transaction_are_never_published(
    writer: Database, database_of: Callable[[str], Database]
) -> None:
    def crash_before_commit() -> None:
        with writer.transaction() as connection:
            Outbox().write(connection, confirmed(uuid4()), user_id=UserId(uuid4()))
            raise psycopg.errors.AdminShutdown

    with pytest.raises(StoreUnavailable):
        crash_before_commit()
    fake = FakePublisher()
    assert drain_all(Relay(OutboxRepository(database_of("relay")), fake, 100)) == 0
    assert fake.sent == []


def test_rows_of_a_relay_that_crashed_after_publishing_are_published_by_the_next(
    writer: Database, database_of: Callable[[str], Database]
) -> None:
    write(writer, confirmed(uuid4()))

    class CrashesAfterPublishing(FakePublisher):
        def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
            super().publish(rows)
            raise SystemExit

    crashing = CrashesAfterPublishing()
    with pytest.raises(SystemExit):
        drain_all(Relay(OutboxRepository(database_of("relay")), crashing, 100))
    next_publisher = FakePublisher()
    assert drain_all(Relay(OutboxRepository(database_of("relay")), next_publisher, 100)) == 1
    assert [row.id for row in next_publisher.sent] == [row.id for row in crashing.sent]


def test_concurrent_relays_never_publish_a_row_twice_or_out_of_order(
    writer: Database, database_of: Callable[[str], Database]
) -> None:
    keys = [uuid4() for _ in range(20)]
    for note in range(15):
        write(writer, *(confirmed(key, note) for key in keys))
    fake = FakePublisher()
    relays = [Relay(OutboxRepository(database_of("relay")), fake, batch=7) for _ in range(4)]
    while relays[0].backlog().lag:
        assert not [
            each for each in concurrently([partial(drain_all, each) for each in relays]) if isinstance(each, Exception)
        ]
    assert len(fake.sent) == len({row.id for row in fake.sent}) == 300
    for key in keys:
        ids = [row.id for row in fake.sent if row.partition_key == str(key)]
        assert ids == sorted(ids)


def test_a_row_with_an_earlier_id_that_commits_late_is_not_skipped(
    writer: Database, database_of: Callable[[str], Database]
) -> None:
    slow = database_of("payment_service")
    fake = FakePublisher()
    relay = Relay(OutboxRepository(database_of("relay")), fake, 100)
    with slow.transaction() as connection:
        Outbox().write(connection, confirmed(uuid4()), user_id=UserId(uuid4()))
        write(writer, confirmed(uuid4()))
        assert drain_all(relay) == 1
    assert drain_all(relay) == 1
    assert [row.id for row in fake.sent] == sorted((row.id for row in fake.sent), reverse=True)


def test_a_bad_record_delays_only_its_key_and_becomes_a_dead_letter_after_three_retries(
    writer: Database, database_of: Callable[[str], Database], superuser: Database
) -> None:
    bad, good = _same_shard()
    write(writer, confirmed(bad, 1), confirmed(good, 2), confirmed(bad, 3), confirmed(good, 4))
    first_bad = superuser.rows("SELECT min(id) AS id FROM common.outbox_events")[0]["id"]
    fake = FakePublisher(rejects=lambda row: row.id == first_bad and row.topic == RESERVATION_EVENTS)
    relay = Relay(OutboxRepository(database_of("relay")), fake, 100, backoff=(0, 0, 0))
    for _ in range(1 + 3):
        assert relay.sweep().failed == 1
        assert {row.partition_key for row in fake.sent} == {str(good)}
        assert len(fake.sent) == 2
    assert relay.sweep().dead_letters == 1
    drain_all(relay)
    letters = [row for row in fake.sent if row.topic == DEAD_LETTERS[RESERVATION_EVENTS]]
    assert [row.id for row in letters] == [first_bad]
    assert letters[0].headers == {"topic": RESERVATION_EVENTS, "reason": "too large"}
    assert len(fake.sent) == 4


def test_a_rejected_record_and_later_ones_of_its_key_wait_one_two_and_four_seconds(
    writer: Database, database_of: Callable[[str], Database], superuser: Database
) -> None:
    key = uuid4()
    write(writer, confirmed(key), confirmed(key))
    relay = Relay(
        OutboxRepository(database_of("relay")), FakePublisher(rejects=lambda row: row.topic == RESERVATION_EVENTS), 100
    )
    for wait in (1, 2, 4):
        assert relay.sweep().failed == 1
        assert relay.sweep() == Pass(), "the rejected record and the one after it wait"
        row = superuser.row(
            "SELECT extract(epoch FROM retry_at - clock_timestamp())::float8 AS seconds FROM common.outbox_events"
            " ORDER BY id LIMIT 1"
        )
        assert row is not None
        assert wait - 0.5 < row["seconds"] <= wait
        _make_due(superuser)


def test_a_key_with_more_blocked_records_than_a_batch_does_not_block_its_shard(
    writer: Database, database_of: Callable[[str], Database], superuser: Database
) -> None:
    bad, good = _same_shard()
    write(writer, *(confirmed(bad, note) for note in range(30)), confirmed(good))
    first_bad = superuser.rows("SELECT min(id) AS id FROM common.outbox_events")[0]["id"]
    fake = FakePublisher(rejects=lambda row: row.id == first_bad)
    relay = Relay(OutboxRepository(database_of("relay")), fake, batch=10)
    assert relay.sweep() == Pass(failed=1)
    assert relay.sweep() == Pass(published=1)
    assert [row.partition_key for row in fake.sent] == [str(good)]


def test_a_record_too_large_for_any_topic_becomes_a_dead_letter_with_its_outbox_id(
    writer: Database,
    database_of: Callable[[str], Database],
    publisher: KafkaPublisher,
    kafka_servers: list[str],
    topic: Topic,
) -> None:
    huge, next_one = uuid4(), uuid4()
    write(
        writer,
        ReservationConfirmed(
            reservation_id=ReservationId(huge),
            event_id=EventId(uuid4()),
            seat_ids=[SeatId(UUID(int=n)) for n in range(30_000)],
            confirmed_at=NOW,
        ),
        confirmed(huge),
        confirmed(next_one),
    )
    relay = Relay(OutboxRepository(database_of("relay")), publisher, 100, backoff=(0, 0, 0))
    with Topic(kafka_servers, DEAD_LETTERS[RESERVATION_EVENTS]) as letters:
        while relay.backlog().lag:
            relay.sweep()
        (letter,) = letters.read()
    assert letter.value == b""
    headers = {name: value.decode() for name, value in letter.headers}
    assert headers["topic"] == RESERVATION_EVENTS
    assert "larger" in headers["reason"]
    assert int(headers["outbox_id"]) > 0
    assert sorted(record.key for record in topic.read()) == sorted([str(huge).encode(), str(next_one).encode()])


def test_rows_for_an_unavailable_part_of_the_broker_wait_without_a_retry_count_while_others_are_published(
    writer: Database, database_of: Callable[[str], Database], superuser: Database
) -> None:
    stuck, moving = uuid4(), uuid4()
    write(writer, confirmed(stuck, 1), confirmed(moving, 2), confirmed(stuck, 3), confirmed(moving, 4))
    fake = FakePublisher(unavailable=lambda row: row.partition_key == str(stuck))
    relay = Relay(OutboxRepository(database_of("relay")), fake, 100)
    drain_all(relay)
    assert [row.partition_key for row in fake.sent] == [str(moving)] * 2
    counts = superuser.rows("SELECT retry_count FROM common.outbox_events WHERE published_at IS NULL")
    assert [row["retry_count"] for row in counts] == [0, 0]
    fake.unavailable = lambda row: False
    _make_due(superuser)
    drain_all(relay)
    ids = [row.id for row in fake.sent if row.partition_key == str(stuck)]
    assert len(ids) == 2
    assert ids == sorted(ids)


@pytest.mark.skipif(os.environ.get("EMULATOR_KAFKA") != "apache", reason="Tansu creates any topic that is used")
def test_a_missing_topic_delays_only_its_own_rows(
    writer: Database, database_of: Callable[[str], Database], superuser: Database, publisher: KafkaPublisher
) -> None:
    write(writer, confirmed(uuid4()), confirmed(uuid4()))
    with superuser.transaction() as connection:
        connection.execute(
            "UPDATE common.outbox_events SET topic = 'not.created'"
            " WHERE id = (SELECT min(id) FROM common.outbox_events)"
        )
    relay = Relay(OutboxRepository(database_of("relay")), publisher, 100)
    while not relay.sweep().published:
        pass
    left = superuser.rows("SELECT topic, retry_count FROM common.outbox_events WHERE published_at IS NULL")
    assert left == [{"topic": "not.created", "retry_count": 0}]


def test_an_unavailable_topic_with_more_rows_than_a_batch_does_not_block_the_rows_after_it(
    writer: Database, database_of: Callable[[str], Database], superuser: Database
) -> None:
    stuck = [_key_of_shard(0) for _ in range(30)]
    moving = _key_of_shard(0)
    write(writer, *(confirmed(key) for key in stuck))
    with superuser.transaction() as connection:
        connection.execute("UPDATE common.outbox_events SET topic = 'event.events'")
    fake = FakePublisher(unavailable=lambda row: row.topic == "event.events")
    relay = Relay(OutboxRepository(database_of("relay")), fake, batch=8)
    for _ in range(3):
        write(writer, confirmed(moving))
        expected = len(fake.sent) + 1
        for _ in range(8):
            with suppress(BrokerUnavailable):
                relay.sweep()
            # A pass in which the broker does not answer takes long: all held rows may be due before the next pass.
            _make_due(superuser)
        assert len(fake.sent) == expected
    assert {row.partition_key for row in fake.sent} == {str(moving)}
    fake.unavailable = lambda row: False
    drain_all(relay)
    assert len(fake.sent) == len({row.id for row in fake.sent}) == 33


def test_a_batch_that_cannot_be_published_is_held_and_the_next_pass_publishes_the_rows_after_it(
    writer: Database, database_of: Callable[[str], Database], superuser: Database
) -> None:
    stuck = [_key_of_shard(0) for _ in range(5)]
    moving = _key_of_shard(0)
    write(writer, *(confirmed(key) for key in (*stuck, moving)))
    fake = FakePublisher(unavailable=lambda row: row.partition_key != str(moving))
    relay = Relay(OutboxRepository(database_of("relay")), fake, batch=5)
    with pytest.raises(BrokerUnavailable):
        relay.sweep()
    held = superuser.rows(
        "SELECT extract(epoch FROM retry_at - clock_timestamp())::float8 AS seconds FROM"
        " common.outbox_events WHERE retry_at IS NOT NULL"
    )
    assert len(held) == 5
    assert all(each["seconds"] > ANSWER_SECONDS for each in held), "they would be due again when the next pass reads"
    assert relay.sweep() == Pass(published=1)
    assert [row.partition_key for row in fake.sent] == [str(moving)]


def test_with_a_slow_broker_a_pass_ends_between_rounds_and_nothing_is_published_twice(
    writer: Database, database_of: Callable[[str], Database]
) -> None:
    key, now = uuid4(), [0.0]
    write(writer, *(confirmed(key, note) for note in range(5)))

    class SlowPublisher(FakePublisher):
        def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
            now[0] += 4
            return super().publish(rows)

    fake = SlowPublisher()
    relay = Relay(OutboxRepository(database_of("relay")), fake, 100, clock=lambda: now[0])
    passes = []
    while relay.backlog().lag:
        passes.append(relay.sweep().published)
    assert passes == [2, 2, 1], "Postgres could end the transaction before a third round is answered"
    ids = [row.id for row in fake.sent]
    assert len(ids) == 5
    assert ids == sorted(ids)


def _make_due(superuser: Database) -> None:
    with superuser.transaction() as connection:
        connection.execute("UPDATE common.outbox_events SET retry_at = now() WHERE retry_at IS NOT NULL")


def _key_of_shard(shard: int) -> UUID:
    while shard_of(str(key := uuid4())) != shard:
        pass
    return key


def _same_shard() -> tuple[UUID, UUID]:
    bad = uuid4()
    while True:
        good = uuid4()
        if shard_of(str(good)) == shard_of(str(bad)):
            return bad, good


def test_an_unavailable_broker_marks_nothing_published(
    writer: Database, database_of: Callable[[str], Database], superuser: Database
) -> None:
    write(writer, confirmed(uuid4()))
    unreachable = KafkaPublisher({"bootstrap_servers": ["127.0.0.1:9"]}, connect_seconds=1)
    with pytest.raises(BrokerUnavailable):
        drain_all(Relay(OutboxRepository(database_of("relay")), unreachable, 100))
    assert superuser.rows("SELECT retry_count, published_at FROM common.outbox_events") == [
        {"retry_count": 0, "published_at": None}
    ]


def test_the_shard_of_a_key_never_changes() -> None:
    """A changed mapping would break the order of the rows that are unpublished at the deploy."""
    assert SHARDS == 16
    assert [shard_of(f"reservation-{n}") for n in range(8)] == [1, 7, 13, 11, 8, 14, 4, 2]


# -- consumers ----------------------------------------------------------------------------------------------------


def batch(*values: str, key: str = "k", topic: str = RESERVATION_EVENTS, start: int = 0) -> dict[str, Any]:
    encode = lambda text: base64.b64encode(text.encode()).decode()  # noqa: E731
    records = [
        {"topic": topic, "partition": 0, "offset": start + n, "key": encode(key), "value": encode(value), "headers": []}
        for n, value in enumerate(values)
    ]
    return {"eventSource": "aws:kafka", "records": {f"{topic}-0": records}}


def message(superuser: Database, writer: Database) -> str:
    write(writer, confirmed(uuid4()))
    row = superuser.row("SELECT payload FROM common.outbox_events ORDER BY id DESC LIMIT 1")
    assert row is not None
    return str(row["payload"])


@pytest.fixture
def effects(superuser: Database) -> Iterator[Callable[[], int]]:
    """Creates a table in which a consumer records its effects. Returns their count."""
    with superuser.transaction() as connection:
        connection.execute("CREATE TABLE event_service.marks (message_id uuid)")
    yield lambda: len(superuser.rows("SELECT * FROM event_service.marks"))
    with superuser.transaction() as connection:
        connection.execute("DROP TABLE event_service.marks")


def mark(connection: Connection, envelope: Envelope, payload: ReservationConfirmed) -> None:
    connection.execute("INSERT INTO event_service.marks VALUES (%s)", (envelope.event_id,))


def test_a_message_delivered_many_times_at_once_takes_effect_once(
    superuser: Database, writer: Database, database_of: Callable[[str], Database], effects: Callable[[], int]
) -> None:
    value = message(superuser, writer)
    consumers = [Consumer("events", database_of("event_service"), {ReservationConfirmed: mark}) for _ in range(8)]
    outcomes = concurrently([partial(each, batch(value, value)) for each in consumers])
    assert outcomes == [{"batchItemFailures": []}] * 8
    assert effects() == 1


def test_a_failed_effect_is_rolled_back_and_its_partition_waits(
    superuser: Database, writer: Database, database_of: Callable[[str], Database], effects: Callable[[], int]
) -> None:
    first, second, third = (message(superuser, writer) for _ in range(3))
    failing = {"on": True}

    def flaky(connection: Connection, envelope: Envelope, payload: ReservationConfirmed) -> None:
        mark(connection, envelope, payload)
        if failing["on"] and str(envelope.event_id) in second:
            raise psycopg.errors.AdminShutdown

    consumer = Consumer("events", database_of("event_service"), {ReservationConfirmed: flaky})
    answer = consumer(batch(first, second, third))
    assert answer == {"batchItemFailures": [{"itemIdentifier": {"partition": f"{RESERVATION_EVENTS}-0", "offset": 1}}]}
    assert effects() == 1
    failing["on"] = False
    assert consumer(batch(second, third, start=1)) == {"batchItemFailures": []}
    assert effects() == 3


@pytest.mark.parametrize("value", ["", "not json", "{}", '{"eventType": "ReservationConfirmed"}', "\x00{"])
def test_an_unreadable_message_becomes_one_dead_letter_and_delays_no_others(
    superuser: Database,
    writer: Database,
    database_of: Callable[[str], Database],
    effects: Callable[[], int],
    value: str,
) -> None:
    good = message(superuser, writer)
    consumer = Consumer("events", database_of("event_service"), {ReservationConfirmed: mark})
    for _ in range(2):
        assert consumer(batch(value, good)) == {"batchItemFailures": []}
    assert effects() == 1
    letters = superuser.rows("SELECT topic, headers FROM common.outbox_events WHERE event_type = 'DeadLetter'")
    assert [letter["topic"] for letter in letters] == ["dlq.reservation"]
    assert letters[0]["headers"]["reason"].startswith("unreadable")


def test_a_message_that_a_rule_rejects_becomes_a_dead_letter_with_the_reason(
    superuser: Database, writer: Database, database_of: Callable[[str], Database]
) -> None:
    def reject(connection: Connection, envelope: Envelope, payload: ReservationConfirmed) -> None:
        raise NotFound()

    value = message(superuser, writer)
    consumer = Consumer("events", database_of("event_service"), {ReservationConfirmed: reject})
    assert consumer(batch(value)) == {"batchItemFailures": []}
    letter = superuser.row("SELECT payload, headers FROM common.outbox_events WHERE event_type = 'DeadLetter'")
    assert letter is not None
    assert json.loads(letter["payload"]) == json.loads(value)
    assert letter["headers"]["reason"] == "rejected: NOT_FOUND"


def test_a_consumer_ignores_unknown_fields_and_messages(
    superuser: Database, writer: Database, database_of: Callable[[str], Database], effects: Callable[[], int]
) -> None:
    value = json.loads(message(superuser, writer))
    newer = {**value, "region": "seoul", "payload": {**value["payload"], "seatColours": ["red"]}}
    unknown = {**value, "eventType": "ReservationUnknown", "eventId": str(uuid4())}
    consumer = Consumer("events", database_of("event_service"), {ReservationConfirmed: mark})
    assert consumer(batch(json.dumps(newer), json.dumps(unknown))) == {"batchItemFailures": []}
    assert effects() == 1


def test_a_message_of_an_unknown_version_becomes_a_dead_letter(
    superuser: Database, writer: Database, database_of: Callable[[str], Database], effects: Callable[[], int]
) -> None:
    newer = {**json.loads(message(superuser, writer)), "version": "v2"}
    consumer = Consumer("events", database_of("event_service"), {ReservationConfirmed: mark})
    assert consumer(batch(json.dumps(newer))) == {"batchItemFailures": []}
    assert effects() == 0
    letter = superuser.row("SELECT headers FROM common.outbox_events WHERE event_type = 'DeadLetter'")
    assert letter is not None
    assert letter["headers"]["reason"] == "unreadable: ReservationConfirmed v2 is not v1"


def test_a_message_that_fails_because_of_a_bug_becomes_a_dead_letter_after_three_retries(
    superuser: Database, writer: Database, database_of: Callable[[str], Database], effects: Callable[[], int]
) -> None:
    bad, good = message(superuser, writer), message(superuser, writer)

    def fail(connection: Connection, envelope: Envelope, payload: ReservationConfirmed) -> None:
        mark(connection, envelope, payload)
        if str(envelope.event_id) in bad:
            raise KeyError("colour")

    # Each try in a new execution environment: the count is kept in Postgres.
    for _ in range(1 + 3):
        assert not superuser.rows("SELECT FROM common.outbox_events WHERE event_type = 'DeadLetter'")
        answer = Consumer("events", database_of("event_service"), {ReservationConfirmed: fail})(batch(bad, good))
        last = answer == {"batchItemFailures": []}
        assert last or answer["batchItemFailures"][0]["itemIdentifier"]["offset"] == 0
    assert last
    assert effects() == 1, "only the good message has an effect"
    letter = superuser.row("SELECT headers FROM common.outbox_events WHERE event_type = 'DeadLetter'")
    assert letter is not None
    assert letter["headers"]["reason"] == "failed: KeyError"


@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected, ServiceUnavailable])
def test_a_message_that_fails_because_a_store_is_unavailable_is_retried_without_limit(
    superuser: Database,
    writer: Database,
    database_of: Callable[[str], Database],
    effects: Callable[[], int],
    error: Callable[[], Exception],
) -> None:
    value = message(superuser, writer)
    failing = {"on": True}

    def flaky(connection: Connection, envelope: Envelope, payload: ReservationConfirmed) -> None:
        if failing["on"]:
            raise error()
        mark(connection, envelope, payload)

    consumer = Consumer("events", database_of("event_service"), {ReservationConfirmed: flaky})
    for _ in range(10):
        assert consumer(batch(value))["batchItemFailures"]
    failing["on"] = False
    assert consumer(batch(value)) == {"batchItemFailures": []}
    assert effects() == 1
    assert not superuser.rows("SELECT FROM common.outbox_events WHERE event_type = 'DeadLetter'")


def test_a_record_that_fails_does_not_block_other_partitions(
    superuser: Database, writer: Database, database_of: Callable[[str], Database], effects: Callable[[], int]
) -> None:
    stuck, free = message(superuser, writer), message(superuser, writer)

    def flaky(connection: Connection, envelope: Envelope, payload: ReservationConfirmed) -> None:
        if str(envelope.event_id) in stuck:
            raise psycopg.errors.LockNotAvailable
        mark(connection, envelope, payload)

    event = batch(stuck)
    event["records"][f"{RESERVATION_EVENTS}-1"] = [
        {**record, "partition": 1} for record in batch(free)["records"][f"{RESERVATION_EVENTS}-0"]
    ]
    answer = Consumer("events", database_of("event_service"), {ReservationConfirmed: flaky})(event)
    failed = [each["itemIdentifier"]["partition"] for each in answer["batchItemFailures"]]
    assert failed == [f"{RESERVATION_EVENTS}-0"]
    assert effects() == 1
