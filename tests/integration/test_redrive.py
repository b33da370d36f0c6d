"""Dead letters on a real broker: listed, shown, and put back once each, however often that is requested."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.domain.shared_errors import NotFound
from common.messaging.consumer import Consumer
from common.messaging.messages import DEAD_LETTERS, RESERVATION_EVENTS, Envelope, ReservationConfirmed
from common.messaging.outbox import Outbox
from common.stores.postgres import Connection, Database
from emulator import services
from functions.outbox_relay.adapters.dead_letter_topics import DeadLetterTopics
from functions.outbox_relay.adapters.kafka_publisher import KafkaPublisher
from functions.outbox_relay.adapters.outbox_repository import OutboxRepository
from functions.outbox_relay.adapters.redrive_repository import RedriveRepository
from functions.outbox_relay.domain.dead_letter import DeadLetter, LetterFilter
from functions.outbox_relay.handlers import redrive_dead_letters
from functions.outbox_relay.usecases.redrive import Redrive
from functions.outbox_relay.usecases.relay import Relay
from functions.outbox_relay.wiring import redriving
from tests.support.concurrently import concurrently
from tools.simulation.msk_event import msk_event
from tools.simulation.topic import Topic

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def servers(state_folder: Path) -> Iterator[list[str]]:
    """A broker that only these tests use, so that all its dead letters are theirs."""
    topics = {RESERVATION_EVENTS: 2, **dict.fromkeys(DEAD_LETTERS.values(), 1)}
    with services.start({"kafka": {"topics": topics}}, state_folder / "kafka-of-letters") as running:
        yield running.kafka


class Pipeline:
    """A consumer that rejects every message while `rejects` is true, the relay, and the redrive."""

    def __init__(self, database_of: Callable[[str], Database], servers: list[str]) -> None:
        self._writer = database_of("reservation_service")
        self._consumer = Consumer("events", database_of("event_service"), {ReservationConfirmed: self._handle})
        self._publisher = KafkaPublisher({"bootstrap_servers": servers})
        self._relay = Relay(OutboxRepository(database_of("relay")), self._publisher, 100)
        topics = DeadLetterTopics({"bootstrap_servers": servers})
        self.redrive = lambda: Redrive(topics, RedriveRepository(database_of("relay")))
        self.rejects = True
        self.applied: list[UUID] = []

    def _handle(self, connection: Connection, message: Envelope, payload: ReservationConfirmed) -> None:
        if self.rejects:
            raise NotFound()
        self.applied.append(payload.reservation_id)

    def write(self, *reservation_ids: UUID) -> None:
        with self._writer.transaction() as connection:
            for each in reservation_ids:
                payload = ReservationConfirmed(
                    reservation_id=ReservationId(each),
                    event_id=EventId(uuid4()),
                    seat_ids=[SeatId(uuid4())],
                    confirmed_at=NOW,
                )
                Outbox().write(connection, payload, user_id=UserId(uuid4()))

    def publish(self) -> None:
        while self._relay.sweep().published:
            pass

    def consume(self, records: list[Any]) -> None:
        assert self._consumer(msk_event(records)) == {"batchItemFailures": []}

    def close(self) -> None:
        self._publisher.close()


@pytest.fixture
def pipeline(database_of: Callable[[str], Database], servers: list[str]) -> Iterator[Pipeline]:
    pipeline = Pipeline(database_of, servers)
    yield pipeline
    pipeline.close()


def dead_letters_of(pipeline: Pipeline, servers: list[str], *reservation_ids: UUID) -> list[DeadLetter]:
    """The dead letters of messages that the consumer rejected, without those of other tests."""
    with Topic(servers, RESERVATION_EVENTS) as topic:
        pipeline.write(*reservation_ids)
        pipeline.publish()
        pipeline.consume(topic.read())
        pipeline.publish()
    found = pipeline.redrive().find(LetterFilter(limit=1000), with_done=False)
    return [letter for letter, _ in found if letter.key in map(str, reservation_ids)]


def test_a_letter_with_the_offset_of_another_is_a_different_letter() -> None:
    """A broker that lost its log counts offsets from 0 again, and the new letter was not put back yet."""
    one = DeadLetter("dlq.reservation", 0, 0, NOW, "key", "first", {})
    assert one.origin == DeadLetter("dlq.reservation", 0, 0, NOW, "key", "first", {"reason": "again"}).origin
    assert one.origin != DeadLetter("dlq.reservation", 0, 0, NOW, "key", "second", {}).origin


def test_a_letter_has_its_message_its_consumer_and_the_reason(pipeline: Pipeline, servers: list[str]) -> None:
    reservation = uuid4()
    (letter,) = dead_letters_of(pipeline, servers, reservation)
    assert letter.topic == RESERVATION_EVENTS
    assert letter.reason == "rejected: NOT_FOUND"
    assert letter.headers["consumer"] == "events"
    assert letter.event_type == "ReservationConfirmed"
    assert json.loads(letter.value)["payload"]["reservationId"] == str(reservation)


def test_concurrent_requests_put_a_letter_back_once(pipeline: Pipeline, servers: list[str]) -> None:
    reservation = uuid4()
    (letter,) = dead_letters_of(pipeline, servers, reservation)
    pipeline.rejects = False
    with Topic(servers, RESERVATION_EVENTS) as topic:
        calls = [partial(pipeline.redrive().put_back, LetterFilter(ids=[letter.id])) for _ in range(6)]
        outcomes = [next(iter(each.values())) for each in concurrently(calls) if not isinstance(each, Exception)]
        assert len(outcomes) == 6
        assert outcomes.count(f"put back on {RESERVATION_EVENTS}") == 1
        pipeline.publish()
        records = topic.read()
        assert [record.key.decode() for record in records] == [str(reservation)]
        pipeline.consume(records)
    assert pipeline.applied == [reservation]
    assert "was put back at" in pipeline.redrive().put_back(LetterFilter(ids=[letter.id]))[letter.id]


def test_a_dry_run_reports_the_outcomes_and_changes_nothing(
    pipeline: Pipeline, servers: list[str], superuser: Database
) -> None:
    (letter,) = dead_letters_of(pipeline, servers, uuid4())
    outcomes = pipeline.redrive().put_back(LetterFilter(ids=[letter.id, "dlq.payment/0/999"]), dry_run=True)
    assert outcomes == {letter.id: f"would be put back on {RESERVATION_EVENTS}", "dlq.payment/0/999": "is not there"}
    assert superuser.rows("SELECT FROM common.outbox_events WHERE origin LIKE 'redrive/%%'", ()) == []


def test_all_matching_letters_are_put_back_except_those_put_back_before(pipeline: Pipeline, servers: list[str]) -> None:
    reservations = [uuid4() for _ in range(5)]
    letters = dead_letters_of(pipeline, servers, *reservations)
    first = pipeline.redrive().put_back(LetterFilter(reason="NOT_FOUND", event_type="ReservationConfirmed", limit=1000))
    assert first.keys() >= {letter.id for letter in letters}
    assert pipeline.redrive().put_back(LetterFilter(reason="NOT_FOUND", limit=1000)) == {}
    assert pipeline.redrive().put_back(LetterFilter(reason="no such reason")) == {}


def test_the_limit_does_not_apply_to_letters_named_by_id(pipeline: Pipeline, servers: list[str]) -> None:
    letters = dead_letters_of(pipeline, servers, *(uuid4() for _ in range(3)))
    named = LetterFilter(ids=[letter.id for letter in letters], limit=1)
    assert len(pipeline.redrive().find(named)) == 3
    assert set(pipeline.redrive().put_back(named).values()) == {f"put back on {RESERVATION_EVENTS}"}
    assert len(pipeline.redrive().find(LetterFilter(limit=1))) == 1


def test_a_letter_that_fails_again_becomes_another_letter(pipeline: Pipeline, servers: list[str]) -> None:
    reservation = uuid4()
    (letter,) = dead_letters_of(pipeline, servers, reservation)
    with Topic(servers, RESERVATION_EVENTS) as topic:
        pipeline.redrive().put_back(LetterFilter(ids=[letter.id]))
        pipeline.publish()
        pipeline.consume(topic.read())
        pipeline.publish()
    found = [each for each, _ in pipeline.redrive().find(LetterFilter(limit=1000)) if each.key == str(reservation)]
    assert len(found) == 2
    again = found[-1]
    assert again.id != letter.id
    assert again.value == letter.value
    assert pipeline.redrive().put_back(LetterFilter(ids=[again.id])) == {again.id: f"put back on {RESERVATION_EVENTS}"}


def test_the_handler_lists_shows_and_puts_back(
    pipeline: Pipeline, servers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (letter,) = dead_letters_of(pipeline, servers, uuid4())
    monkeypatch.setattr(redriving, "redrive", pipeline.redrive)
    listed = redrive_dead_letters.handler({"action": "list", "limit": 1000}, None)["letters"]
    (summary,) = [each for each in listed if each["id"] == letter.id]
    assert summary["reason"] == "rejected: NOT_FOUND"
    assert summary["putBackAt"] is None
    assert "value" not in summary
    (shown,) = redrive_dead_letters.handler({"action": "show", "ids": [letter.id]}, None)["letters"]
    assert shown["value"] == letter.value
    request = {"action": "put-back", "ids": [letter.id], "dryRun": True}
    assert redrive_dead_letters.handler(request, None) == {
        "outcomes": {letter.id: f"would be put back on {RESERVATION_EVENTS}"}
    }
