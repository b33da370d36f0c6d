"""Every producer's message against every consumer's reader, and last release's messages against today's readers.

`tests/messages/v1/` holds each message as it was first released. A file there is never changed: other services, and the
seven days of a topic, still hold such messages. A new message gets its file with its release.
"""

import json
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
import yaml

from common.domain.clock import new_id, utc_now
from common.messaging.consumer import Consumer
from common.messaging.messages import DEAD_LETTERS, Envelope, Payload, UnknownVersion, envelope, read

ROOT = Path(__file__).parents[2]
FROZEN = {path.stem: path for path in (ROOT / "tests/messages/v1").glob("*.json")}


def _kinds(parent: type[Payload]) -> list[type[Payload]]:
    below = [kind for child in parent.__subclasses__() for kind in _kinds(child)]
    return below or [parent]


KINDS = {kind.__name__: kind for kind in _kinds(Payload)}  # type: ignore[type-abstract]
CONSUMERS = sorted(path.relative_to(ROOT).with_suffix("") for path in (ROOT / "functions").glob("*/on_*.py"))


class _Tolerant(yaml.SafeLoader):
    """Reads CloudFormation's short forms (`!Ref x`) as whatever they hold."""


def _plain(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]


_Tolerant.add_multi_constructor("!", _plain)


def frozen(name: str) -> Envelope:
    return Envelope.model_validate_json(FROZEN[name].read_bytes())


def produced_today(name: str) -> str:
    """The message as a service writes it to the outbox now."""
    payload = KINDS[name].model_validate(frozen(name).payload)
    message = envelope(
        payload, message_id=new_id(), at=utc_now(), correlation_id="trace", causation_id=None, user_id=UUID(int=1)
    )
    return message.to_json()


def consumer_of(module_path: Path, monkeypatch: pytest.MonkeyPatch) -> Consumer:
    """The consumer as its module makes it, with nothing behind it."""
    module = import_module(".".join(module_path.parts))
    for name, value in vars(module).items():
        if getattr(value, "__module__", "").endswith((".composition", "_store", "common.wiring.database")) and callable(
            value
        ):
            monkeypatch.setattr(module, name, Mock())
    made: Consumer = module.consumer.__wrapped__()
    return made


@cache
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Tolerant)  # noqa: S506
    return loaded


def topics_in_template(module_path: Path) -> list[str]:
    handler = ".".join((*module_path.parts, "handler"))
    (function,) = [
        each["Properties"] for each in template()["Resources"].values() if each["Properties"].get("Handler") == handler
    ]
    return [topic for event in function["Events"].values() for topic in event["Properties"]["Topics"]]


@pytest.mark.parametrize("path", CONSUMERS, ids=str)
def test_a_consumer_reads_what_is_on_its_topic_and_every_producers_message_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = consumer_of(path, monkeypatch)
    assert consumer.reads
    for kind in consumer.reads:
        assert [kind.topic] == topics_in_template(path)
        message = Envelope.model_validate_json(produced_today(kind.__name__))
        assert message.event_type == kind.__name__
        assert read(kind, message).to_dict() == message.payload


@pytest.mark.parametrize("path", CONSUMERS, ids=str)
def test_a_consumer_reads_last_releases_messages(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in consumer_of(path, monkeypatch).reads:
        assert read(kind, frozen(kind.__name__)).aggregate_id == frozen(kind.__name__).aggregate_id


@pytest.mark.parametrize("name", FROZEN)
def test_what_was_released_is_still_said_under_the_same_names(name: str) -> None:
    was, now = json.loads(FROZEN[name].read_bytes()), json.loads(produced_today(name))
    assert now.keys() >= was.keys()
    assert {field: now["payload"].get(field) for field in was["payload"]} == was["payload"]
    assert (now["aggregateId"], now["aggregateType"], now["version"]) == (
        was["aggregateId"],
        was["aggregateType"],
        was["version"],
    )


@pytest.mark.parametrize("name", [name for name in FROZEN if "reservationId" in frozen(name).payload])
def test_what_happens_to_a_reservation_has_one_key_whoever_tells_of_it(name: str) -> None:
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
def test_a_reader_does_not_guess_at_a_version_it_was_not_written_for(name: str) -> None:
    newer = frozen(name).model_copy(update={"version": "v2"})
    with pytest.raises(UnknownVersion):
        read(KINDS[name], newer)


def test_every_message_is_frozen_produced_somewhere_and_has_dead_letters() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "functions").rglob("*.py"))
    assert FROZEN.keys() == KINDS.keys()
    assert [name for name in KINDS if not re.search(rf"\b{name}\(", sources)] == []
    assert {kind.topic for kind in KINDS.values()} <= DEAD_LETTERS.keys()
