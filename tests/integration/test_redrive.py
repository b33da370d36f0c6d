"""Dead letters on a real broker: listed, shown and put back, each once however often it is asked for."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

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
    """A broker of its own: its dead letters are these tests' alone."""
    topics = {RESERVATION_EVENTS: 2, **dict.fromkeys(DEAD_LETTERS.values(), 1)}
    with services.start({"kafka": {"topics": topics}}, state_folder / "kafka-of-letters") as running:
        yield running.kafka


class Desk:
    """A consumer that refuses until told otherwise, the relay, and the dead letters."""

    def __init__(self, database_of: Callable[[str], Database], servers: list[str]) -> None:
        self._writer = database_of("reservation_service")
        self._consumer = Consumer("events", database_of("event_service"), {ReservationConfirmed: self._handle})
        self._publisher = KafkaPublisher({"bootstrap_servers": servers})
        self._relay = Relay(OutboxRepository(database_of("relay")), self._publisher, 100)
        topics = DeadLetterTopics({"bootstrap_servers": servers})
        self.redrive = lambda: Redrive(topics, RedriveRepository(database_of("relay")))
        self.refuses = True
        self.applied: list[UUID] = []

    def _handle(self, connection: Connection, message: Envelope, payload: ReservationConfirmed) -> None:
        if self.refuses:
            raise NotFound()
        self.applied.append(payload.reservation_id)

    def write(self, *reservation_ids: UUID) -> None:
        with self._writer.transaction() as connection:
            for each in reservation_ids:
                payload = ReservationConfirmed(
                    reservation_id=each, event_id=uuid4(), seat_ids=[uuid4()], confirmed_at=NOW
                )
                Outbox().write(connection, payload, user_id=uuid4())

    def publish(self) -> None:
        while self._relay.sweep().published:
            pass

    def consume(self, records: list[Any]) -> None:
        assert self._consumer(msk_event(records)) == {"batchItemFailures": []}

    def close(self) -> None:
        self._publisher.close()


@pytest.fixture
def desk(database_of: Callable[[str], Database], servers: list[str]) -> Iterator[Desk]:
    desk = Desk(database_of, servers)
    yield desk
    desk.close()


def dead_letters_of(desk: Desk, servers: list[str], *reservation_ids: UUID) -> list[DeadLetter]:
    """Messages that the consumer refused, as letters; those of other tests are left aside."""
    with Topic(servers, RESERVATION_EVENTS) as topic:
        desk.write(*reservation_ids)
        desk.publish()
        desk.consume(topic.read())
        desk.publish()
    found = desk.redrive().find(LetterFilter(limit=1000), with_done=False)
    return [letter for letter, _ in found if letter.key in map(str, reservation_ids)]


def test_a_letter_at_the_place_of_another_is_another() -> None:
    """A broker that lost its log counts from 0 again; what was put back before is no reason to leave this one."""
    one = DeadLetter("dlq.reservation", 0, 0, NOW, "key", "first", {})
    assert one.origin == DeadLetter("dlq.reservation", 0, 0, NOW, "key", "first", {"reason": "again"}).origin
    assert one.origin != DeadLetter("dlq.reservation", 0, 0, NOW, "key", "second", {}).origin


def test_a_letter_says_what_it_was_whose_and_why(desk: Desk, servers: list[str]) -> None:
    reservation = uuid4()
    (letter,) = dead_letters_of(desk, servers, reservation)
    assert letter.topic == RESERVATION_EVENTS
    assert letter.reason == "rejected: NOT_FOUND"
    assert letter.headers["consumer"] == "events"
    assert letter.event_type == "ReservationConfirmed"
    assert json.loads(letter.value)["payload"]["reservationId"] == str(reservation)


def test_a_letter_put_back_is_applied_once_however_many_ask_at_once(desk: Desk, servers: list[str]) -> None:
    reservation = uuid4()
    (letter,) = dead_letters_of(desk, servers, reservation)
    desk.refuses = False
    with Topic(servers, RESERVATION_EVENTS) as topic:
        asked = [partial(desk.redrive().put_back, LetterFilter(ids=[letter.id])) for _ in range(6)]
        outcomes = [next(iter(each.values())) for each in concurrently(asked) if not isinstance(each, Exception)]
        assert len(outcomes) == 6
        assert outcomes.count(f"put back on {RESERVATION_EVENTS}") == 1
        desk.publish()
        records = topic.read()
        assert [record.key.decode() for record in records] == [str(reservation)]
        desk.consume(records)
    assert desk.applied == [reservation]
    assert "was put back at" in desk.redrive().put_back(LetterFilter(ids=[letter.id]))[letter.id]


def test_a_dry_run_says_what_it_would_do_and_does_nothing(desk: Desk, servers: list[str], superuser: Database) -> None:
    (letter,) = dead_letters_of(desk, servers, uuid4())
    outcomes = desk.redrive().put_back(LetterFilter(ids=[letter.id, "dlq.payment/0/999"]), dry_run=True)
    assert outcomes == {letter.id: f"would be put back on {RESERVATION_EVENTS}", "dlq.payment/0/999": "is not there"}
    assert superuser.rows("SELECT FROM common.outbox_events WHERE origin LIKE 'redrive/%%'", ()) == []


def test_all_that_fit_are_put_back_in_their_order_and_what_is_done_is_left(desk: Desk, servers: list[str]) -> None:
    reservations = [uuid4() for _ in range(5)]
    letters = dead_letters_of(desk, servers, *reservations)
    first = desk.redrive().put_back(LetterFilter(reason="NOT_FOUND", event_type="ReservationConfirmed", limit=1000))
    assert first.keys() >= {letter.id for letter in letters}
    assert desk.redrive().put_back(LetterFilter(reason="NOT_FOUND", limit=1000)) == {}
    assert desk.redrive().put_back(LetterFilter(reason="no such reason")) == {}


def test_the_limit_is_of_what_is_looked_for_and_not_of_what_is_named(desk: Desk, servers: list[str]) -> None:
    letters = dead_letters_of(desk, servers, *(uuid4() for _ in range(3)))
    named = LetterFilter(ids=[letter.id for letter in letters], limit=1)
    assert len(desk.redrive().find(named)) == 3
    assert set(desk.redrive().put_back(named).values()) == {f"put back on {RESERVATION_EVENTS}"}
    assert len(desk.redrive().find(LetterFilter(limit=1))) == 1


def test_what_fails_again_comes_back_as_another_letter(desk: Desk, servers: list[str]) -> None:
    reservation = uuid4()
    (letter,) = dead_letters_of(desk, servers, reservation)
    with Topic(servers, RESERVATION_EVENTS) as topic:
        desk.redrive().put_back(LetterFilter(ids=[letter.id]))
        desk.publish()
        desk.consume(topic.read())
        desk.publish()
    found = [each for each, _ in desk.redrive().find(LetterFilter(limit=1000)) if each.key == str(reservation)]
    assert len(found) == 2
    again = found[-1]
    assert again.id != letter.id
    assert again.value == letter.value
    assert desk.redrive().put_back(LetterFilter(ids=[again.id])) == {again.id: f"put back on {RESERVATION_EVENTS}"}


def test_the_function_lists_shows_and_puts_back(
    desk: Desk, servers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (letter,) = dead_letters_of(desk, servers, uuid4())
    monkeypatch.setattr(redriving, "redrive", desk.redrive)
    listed = redrive_dead_letters.handler({"action": "list", "limit": 1000}, None)["letters"]
    (line,) = [each for each in listed if each["id"] == letter.id]
    assert line["reason"] == "rejected: NOT_FOUND"
    assert line["putBackAt"] is None
    assert "value" not in line
    (shown,) = redrive_dead_letters.handler({"action": "show", "ids": [letter.id]}, None)["letters"]
    assert shown["value"] == letter.value
    asked = {"action": "put-back", "ids": [letter.id], "dryRun": True}
    assert redrive_dead_letters.handler(asked, None) == {
        "outcomes": {letter.id: f"would be put back on {RESERVATION_EVENTS}"}
    }
