"""Services' keys change and no call is refused: whatever step is repeated, or runs beside another's (INT-009)."""

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


class Vault:
    """Secrets Manager with the keys of two services, a rotation, and a clock to move."""

    def __init__(self, keys: Keys) -> None:
        self.now = datetime.now(UTC) + timedelta(days=1)
        self.manager = boto3.client("secretsmanager")
        self.manager.create_secret(Name=NAME, SecretString=json.dumps(keys))
        self._fresh = count()
        self.rotation = self.another()

    def another(self) -> ServiceKeyRotation:
        manager = boto3.client("secretsmanager")
        return ServiceKeyRotation(manager, "ticketing/", lambda: self.now, lambda: f"fresh-{next(self._fresh)}")

    def keys(self) -> Keys:
        found: Keys = json.loads(
            self.manager.get_secret_value(SecretId=NAME, VersionStage="AWSCURRENT")["SecretString"]
        )
        return found


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
    with mock_aws():
        yield Vault({"queue": ["q0"], "events": ["e0"]})


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function of another service, and what it says to a caller who read `theirs` while it has read `ours`."""

    @internal_endpoint.internal
    def ping(request: Ping) -> Ping:
        return Ping()

    def call(theirs: Keys, ours: Keys, caller: str = "queue") -> dict[str, Any]:
        monkeypatch.setattr(internal_endpoint, "secret", lambda _name: ours)
        headers = {"X-Service": caller, "X-Service-Api-Key": theirs[caller][0], "X-Trace-Id": str(uuid4())}
        return ping({"headers": headers, "body": {}}, None)

    monkeypatch.setattr(internal_endpoint, "_count", lambda *_: None)
    return call


def test_calls_succeed_throughout_whoever_has_read_what(vault: Vault, called: Any) -> None:
    """Around each of ten rotations there are containers that know the list before it and others that know the next."""
    for _ in range(10):
        before = vault.keys()
        vault.now += READ_EVERYWHERE_AFTER
        vault.rotation.rotate()
        after = vault.keys()
        for theirs, ours, caller in product((before, after), (before, after), before):
            assert "body" in called(theirs, ours, caller)


def test_a_key_is_gone_after_three_rotations(vault: Vault, called: Any) -> None:
    vault.rotation.rotate()  # from one key to two
    leaked = vault.keys()
    for _ in range(3):
        vault.now += READ_EVERYWHERE_AFTER
        vault.rotation.rotate()

    assert not set(leaked["queue"][:1]) & set(vault.keys()["queue"])
    assert called(leaked, vault.keys())["error"]["code"] == ServiceKeyInvalid.code


def test_a_rotation_waits_until_everybody_knows_the_last(vault: Vault) -> None:
    vault.now = datetime.now(UTC)
    before = vault.keys()

    with pytest.raises(TooSoon):
        vault.rotation.rotate()
    assert vault.keys() == before

    vault.now += READ_EVERYWHERE_AFTER + timedelta(seconds=5)
    vault.rotation.rotate()
    assert follows(vault.keys(), before)


@pytest.mark.parametrize("repeated", STEPS)
def test_each_step_may_be_repeated(vault: Vault, repeated: str) -> None:
    before, token = vault.keys(), str(uuid4())
    for step in STEPS:
        vault.rotation.step(step, token)
        if step == repeated:
            vault.rotation.step(step, token)

    assert follows(vault.keys(), before)
    assert [len(keys) for keys in vault.keys().values()] == [2, 2]


def test_of_rotations_at_the_same_time_one_wins_and_calls_succeed(vault: Vault, called: Any) -> None:
    vault.rotation.rotate()
    before = vault.keys()
    vault.now += READ_EVERYWHERE_AFTER
    rotations, tokens = [vault.another() for _ in range(4)], [str(uuid4()) for _ in range(4)]
    for step in STEPS:
        concurrently([partial(rotations[i].step, step, tokens[i]) for i in range(4)])

    after = vault.keys()
    assert after != before
    for theirs, ours in product((before, after), repeat=2):
        assert "body" in called(theirs, ours)


def test_a_rotation_that_was_overtaken_changes_nothing(vault: Vault) -> None:
    vault.rotation.rotate()
    slow = str(uuid4())
    vault.now += READ_EVERYWHERE_AFTER
    vault.rotation.step("createSecret", slow)
    for _ in range(2):
        vault.now += READ_EVERYWHERE_AFTER
        vault.rotation.rotate()
    before = vault.keys()

    with pytest.raises(Superseded):
        vault.rotation.step("finishSecret", slow)
    assert vault.keys() == before


def test_a_service_keeps_at_most_three_keys_that_are_all_different() -> None:
    keys, fresh = {"queue": ["q0"]}, count()
    for _ in range(5):
        after = rotated(keys, lambda: f"q{next(fresh) + 1}")
        assert follows(after, keys)
        keys = after
        assert len(set(keys["queue"])) == len(keys["queue"]) <= 3


def test_a_caller_uses_the_first_of_its_keys(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `call` sends is what the rotation reckons with."""
    monkeypatch.setenv("SERVICE_NAME", "queue")
    assert CallerSettings.from_environment().service_name == "queue"
    sent = []

    class Lambda:
        def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:
            sent.append(json.loads(Payload)["headers"]["X-Service-Api-Key"])
            raise OSError

    monkeypatch.setattr(caller_wiring, "lambda_client", lambda _attempts: Lambda())
    monkeypatch.setenv("SECRETS_PREFIX", "ticketing/")
    vault.rotation.rotate()
    forget_wiring()
    try:
        with pytest.raises(Exception, match="SERVICE_UNAVAILABLE"):
            caller_wiring.internal_caller()("SaleTerms", Ping(), Ping, read=True)
        assert sent == [vault.keys()["queue"][0]]
    finally:
        forget_wiring()
