"""Service keys are rotated and no call is rejected, even if steps are repeated or run concurrently (INT-009)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, product
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from common.domain.model import Model
from common.domain.shared_errors import ServiceKeyInvalid
from common.http import internal_endpoint
from common.stores.secret_rotation import STEPS, Superseded, TooSoon
from common.wiring import internal_caller as caller_wiring
from common.wiring.internal_caller import CallerSettings
from functions.gateway.domain.service_keys import follows, rotated
from functions.gateway.usecases.service_key_rotation import READ_EVERYWHERE_AFTER, ServiceKeyRotation
from tests.support.concurrently import concurrently
from tests.support.fresh_wiring import forget_wiring

NAME = "ticketing/service-keys"
Keys = dict[str, list[str]]


class Ping(Model):
    pass


class ServiceKeys:
    """Secrets Manager with the keys of two services, their rotation, and a clock that the test moves."""

    def __init__(self, keys: Keys) -> None:
        self.now = datetime.now(UTC) + timedelta(days=1)
        self.manager = boto3.client("secretsmanager")
        self.manager.create_secret(Name=NAME, SecretString=json.dumps(keys))
        self._numbers = count()
        self.rotation = self.new_rotation()

    def new_rotation(self) -> ServiceKeyRotation:
        manager = boto3.client("secretsmanager")
        return ServiceKeyRotation(manager, "ticketing/", lambda: self.now, lambda: f"new-{next(self._numbers)}")

    def keys(self) -> Keys:
        found: Keys = json.loads(
            self.manager.get_secret_value(SecretId=NAME, VersionStage="AWSCURRENT")["SecretString"]
        )
        return found


@pytest.fixture
def service_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceKeys]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
    with mock_aws():
        yield ServiceKeys({"queue": ["q0"], "events": ["e0"]})


@pytest.fixture
def call_ping(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls a function that has read the keys `functions_keys`, as a caller that has read `callers_keys`."""

    @internal_endpoint.internal
    def ping(request: Ping) -> Ping:
        return Ping()

    def call(callers_keys: Keys, functions_keys: Keys, caller: str = "queue") -> dict[str, Any]:
        monkeypatch.setattr(internal_endpoint, "secret", lambda _name: functions_keys)
        headers = {"X-Service": caller, "X-Service-Api-Key": callers_keys[caller][0], "X-Trace-Id": str(uuid4())}
        return ping({"headers": headers, "body": {}}, None)

    monkeypatch.setattr(internal_endpoint, "_count", lambda *_: None)
    return call


def test_calls_succeed_while_only_some_environments_have_read_the_new_keys(
    service_keys: ServiceKeys, call_ping: Any
) -> None:
    """Around each rotation, some execution environments know the old keys and others the new ones."""
    for _ in range(10):
        before = service_keys.keys()
        service_keys.now += READ_EVERYWHERE_AFTER
        service_keys.rotation.rotate()
        after = service_keys.keys()
        for callers_keys, functions_keys, caller in product((before, after), (before, after), before):
            assert "body" in call_ping(callers_keys, functions_keys, caller)


def test_a_key_is_invalid_after_three_rotations(service_keys: ServiceKeys, call_ping: Any) -> None:
    service_keys.rotation.rotate()  # from one key to two
    leaked = service_keys.keys()
    for _ in range(3):
        service_keys.now += READ_EVERYWHERE_AFTER
        service_keys.rotation.rotate()

    assert not set(leaked["queue"][:1]) & set(service_keys.keys()["queue"])
    assert call_ping(leaked, service_keys.keys())["error"]["code"] == ServiceKeyInvalid.code


def test_a_rotation_waits_until_every_environment_has_read_the_last_one(service_keys: ServiceKeys) -> None:
    service_keys.now = datetime.now(UTC)
    before = service_keys.keys()

    with pytest.raises(TooSoon):
        service_keys.rotation.rotate()
    assert service_keys.keys() == before

    service_keys.now += READ_EVERYWHERE_AFTER + timedelta(seconds=5)
    service_keys.rotation.rotate()
    assert follows(service_keys.keys(), before)


@pytest.mark.parametrize("repeated", STEPS)
def test_each_step_can_be_repeated(service_keys: ServiceKeys, repeated: str) -> None:
    before, token = service_keys.keys(), str(uuid4())
    for step in STEPS:
        service_keys.rotation.step(step, token)
        if step == repeated:
            service_keys.rotation.step(step, token)

    assert follows(service_keys.keys(), before)
    assert [len(keys) for keys in service_keys.keys().values()] == [2, 2]


def test_one_of_several_concurrent_rotations_takes_effect_and_calls_succeed(
    service_keys: ServiceKeys, call_ping: Any
) -> None:
    service_keys.rotation.rotate()
    before = service_keys.keys()
    service_keys.now += READ_EVERYWHERE_AFTER
    rotations, tokens = [service_keys.new_rotation() for _ in range(4)], [str(uuid4()) for _ in range(4)]
    for step in STEPS:
        concurrently([partial(rotations[i].step, step, tokens[i]) for i in range(4)])

    after = service_keys.keys()
    assert after != before
    for callers_keys, functions_keys in product((before, after), repeat=2):
        assert "body" in call_ping(callers_keys, functions_keys)


def test_a_superseded_rotation_changes_nothing(service_keys: ServiceKeys) -> None:
    service_keys.rotation.rotate()
    slow = str(uuid4())
    service_keys.now += READ_EVERYWHERE_AFTER
    service_keys.rotation.step("createSecret", slow)
    for _ in range(2):
        service_keys.now += READ_EVERYWHERE_AFTER
        service_keys.rotation.rotate()
    before = service_keys.keys()

    with pytest.raises(Superseded):
        service_keys.rotation.step("finishSecret", slow)
    assert service_keys.keys() == before


def test_a_service_keeps_at_most_three_different_keys() -> None:
    keys, numbers = {"queue": ["q0"]}, count()
    for _ in range(5):
        after = rotated(keys, lambda: f"q{next(numbers) + 1}")
        assert follows(after, keys)
        keys = after
        assert len(set(keys["queue"])) == len(keys["queue"]) <= 3


def test_a_caller_sends_the_first_of_its_keys(service_keys: ServiceKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rotation relies on this."""
    monkeypatch.setenv("SERVICE_NAME", "queue")
    assert CallerSettings.from_environment().service_name == "queue"
    sent = []

    class Lambda:
        def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:
            sent.append(json.loads(Payload)["headers"]["X-Service-Api-Key"])
            raise OSError

    monkeypatch.setattr(caller_wiring, "lambda_client", lambda _attempts: Lambda())
    monkeypatch.setenv("SECRETS_PREFIX", "ticketing/")
    service_keys.rotation.rotate()
    forget_wiring()
    try:
        with pytest.raises(Exception, match="SERVICE_UNAVAILABLE"):
            caller_wiring.internal_caller()("SaleTerms", Ping(), Ping, read=True)
        assert sent == [service_keys.keys()["queue"][0]]
    finally:
        forget_wiring()
