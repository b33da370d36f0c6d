"""Every producer's message against every consumer's reader, and the first release's messages against today's readers.

`tests/messages/v1/` holds each message as it was first released. A file there is never changed: other services, and
topics for seven days, still hold such messages. A new message gets its file with its release.
"""

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest

from common.domain.clock import new_id, utc_now
from common.domain.ids import UserId
from common.messaging.consumer import Consumer
from common.messaging.messages import DEAD_LETTERS, Envelope, Payload, UnknownVersion, envelope, read
from functions.payments.wiring import secrets as payment_secrets
from tests.support.fresh_wiring import forget_wiring
from tools.handlers import DeployedFunction, deployed_functions

ROOT = Path(__file__).parents[2]
FROZEN = {path.stem: path for path in (ROOT / "tests/messages/v1").glob("*.json")}


def _kinds(parent: type[Payload]) -> list[type[Payload]]:
    below = [kind for child in parent.__subclasses__() for kind in _kinds(child)]
    return below or [parent]


KINDS = {kind.__name__: kind for kind in _kinds(Payload)}  # type: ignore[type-abstract]
CONSUMERS = [function for function in deployed_functions() if function.triggered_by("MSK")]


class Consuming(NamedTuple):
    function: DeployedFunction
    consumer: Consumer


def frozen(name: str) -> Envelope:
    return Envelope.model_validate_json(FROZEN[name].read_bytes())


def produced_today(name: str) -> str:
    """The message as a service writes it to the outbox now."""
    payload = KINDS[name].model_validate(frozen(name).payload)
    message = envelope(
        payload,
        message_id=new_id(),
        at=utc_now(),
        correlation_id="trace",
        causation_id=None,
        user_id=UserId(UUID(int=1)),
    )
    return message.to_json()


@pytest.fixture(params=CONSUMERS, ids=lambda function: function.name)
def consuming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Consuming]:
    """A function that reads a topic and its consumer, as the wiring builds it, with no store behind it."""
    for name in ("DATABASE_HOST", "DATABASE_NAME", "DATABASE_USER"):
        monkeypatch.setenv(name, "unused")
    monkeypatch.setenv("REDIS_URL", "redis://unused")
    monkeypatch.setenv("REDIS_CLUSTER", "false")
    monkeypatch.setenv("PORTONE_URL", "https://unused")
    monkeypatch.setattr(payment_secrets, "secret", lambda _name: {"apiSecret": "unused", "channelKey": "unused"})
    monkeypatch.setattr(Consumer, "__call__", lambda consumer, _event: consumer)
    forget_wiring()
    yield Consuming(request.param, import_module(request.param.module).handler({}, None))
    forget_wiring()


def test_a_consumer_reads_the_messages_of_its_topic_from_every_producer(consuming: Consuming) -> None:
    assert consuming.consumer.reads
    for kind in consuming.consumer.reads:
        assert [[kind.topic]] == [trigger["Topics"] for trigger in consuming.function.triggered_by("MSK")]
        message = Envelope.model_validate_json(produced_today(kind.__name__))
        assert message.event_type == kind.__name__
        assert read(kind, message).to_dict() == message.payload


def test_a_consumer_reads_messages_of_the_first_release(consuming: Consuming) -> None:
    for kind in consuming.consumer.reads:
        assert read(kind, frozen(kind.__name__)).aggregate_id == frozen(kind.__name__).aggregate_id


@pytest.mark.parametrize("name", FROZEN)
def test_released_fields_keep_their_names_and_values(name: str) -> None:
    was, now = json.loads(FROZEN[name].read_bytes()), json.loads(produced_today(name))
    assert now.keys() >= was.keys()
    assert {field: now["payload"].get(field) for field in was["payload"]} == was["payload"]
    assert (now["aggregateId"], now["aggregateType"], now["version"]) == (
        was["aggregateId"],
        was["aggregateType"],
        was["version"],
    )


@pytest.mark.parametrize("name", [name for name in FROZEN if "reservationId" in frozen(name).payload])
def test_every_message_about_a_reservation_has_its_id_as_ordering_key(name: str) -> None:
    payload = KINDS[name].model_validate(frozen(name).payload)
    assert payload.partition_key == frozen(name).payload["reservationId"]


@pytest.mark.parametrize("name", FROZEN)
def test_a_reader_ignores_fields_that_a_newer_writer_adds(name: str) -> None:
    newer = json.loads(produced_today(name))
    newer |= {"region": "seoul", "payload": {**newer["payload"], "colour": ["red"]}}
    newer["metadata"]["tenant"] = "x"
    message = Envelope.model_validate_json(json.dumps(newer))
    assert read(KINDS[name], message) == KINDS[name].model_validate(frozen(name).payload)


@pytest.mark.parametrize("name", FROZEN)
def test_a_reader_rejects_an_unknown_version(name: str) -> None:
    newer = frozen(name).model_copy(update={"version": "v2"})
    with pytest.raises(UnknownVersion):
        read(KINDS[name], newer)


def test_every_message_is_frozen_produced_somewhere_and_has_dead_letters() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "functions").rglob("*.py"))
    assert FROZEN.keys() == KINDS.keys()
    assert [name for name in KINDS if not re.search(rf"\b{name}\(", sources)] == []
    assert {kind.topic for kind in KINDS.values()} <= DEAD_LETTERS.keys()
