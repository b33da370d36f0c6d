"""Signing keys rotate without invalidating a token, even if steps crash, repeat or run concurrently (AUTH-011)."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations, product
from threading import Lock
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from moto import mock_aws
from moto.secretsmanager.models import secretsmanager_backends

from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import DomainError, TokenExpired
from common.stores.secret_rotation import STEPS, Missing, Superseded, TooSoon
from common.stores.secrets import SecretCache
from common.wiring.secret_cache import secrets_manager
from functions.auth.adapters.access_token_jwt import AccessTokenSigner, AccessTokenVerifier
from functions.auth.adapters.signing_key_pair import SigningKeyPairs
from functions.auth.domain.account import Role
from functions.auth.domain.token_claims import TokenParties
from functions.auth.handlers import list_verification_keys, rotate_signing_key
from functions.auth.usecases.signing_key_rotation import SigningKeyRotation, Unpublished
from local.seed.secrets import make, publish
from tests.support.concurrently import concurrently
from tests.support.fresh_wiring import forget_wiring

PREFIX = "ticketing/"
PARTIES = TokenParties("ticketing", "ticketing-api")
USER, SESSION, TOKEN_ID = UserId(UUID(int=7)), SessionId(UUID(int=7)), UUID(int=7)
HOUR = timedelta(hours=1)
VERIFY_FOR, KNOWN_AFTER = HOUR + timedelta(minutes=15), timedelta(minutes=10)


class Fakes:
    """Secrets Manager with a signing key and the next, a rotation, and a clock. Tokens are valid for an hour."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) - timedelta(
            days=365
        )  # in the past, so that tokens are expired, not issued in the future
        self.manager = boto3.client("secretsmanager")
        self.rotation = self.rotation_through(self.manager)
        self.tokens: list[tuple[datetime, str]] = []
        self.read_before = self.verification()

    def rotation_through(self, manager: Any) -> SigningKeyRotation:
        return SigningKeyRotation(manager, PREFIX, SigningKeyPairs(), lambda: self.now, VERIFY_FOR, KNOWN_AFTER)

    def rotate(self, token: str | None = None, steps: tuple[str, ...] = STEPS) -> None:
        token = token or str(uuid4())
        for step in steps:
            self.rotation.step(step, token)

    def secret(self, name: str) -> list[dict[str, str]]:
        """The keys as an execution environment without a cache reads them."""
        keys: list[dict[str, str]] = SecretCache(secrets_manager, PREFIX).read(name)["keys"]
        return keys

    def verification(self) -> Any:
        return self.secret("jwt/verification")

    def signing(self) -> list[str]:
        return [key["kid"] for key in self.secret("jwt/signing")]

    def verifies(self, token: str, keys: Any) -> bool:
        try:
            AccessTokenVerifier(lambda: keys, PARTIES, lambda _: False).verify(token)
        except DomainError as error:
            return type(error) is TokenExpired  # raised only for a token with a valid signature
        return True

    def check_tokens(self) -> None:
        """What must hold at any time: a token signed now is valid for verifiers that have just read the keys and for
        those that read them when the rotation began, and every token younger than an hour is valid."""
        key: Any = self.secret("jwt/signing")[0]
        signed = AccessTokenSigner(lambda: key, PARTIES, 3600).sign(USER, Role.USER, SESSION, TOKEN_ID, self.now)
        self.tokens = [(at, token) for at, token in [*self.tokens, (self.now, signed)] if at > self.now - HOUR]
        assert self.verifies(signed, self.read_before)
        assert all(self.verifies(token, self.verification()) for _, token in self.tokens)

    def check_finished(self) -> None:
        """What must hold when all rotations have ended."""
        self.check_tokens()
        assert len(self.signing()) == 2
        assert set(self.signing()) <= {key["kid"] for key in self.verification()}
        self.now += KNOWN_AFTER
        self.read_before = self.verification()


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fakes]:
    for name, value in {
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SECRETS_PREFIX": PREFIX,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    forget_wiring()
    with mock_aws():
        publish({name: value for name, value in make().items() if name.startswith("jwt/")}, PREFIX)
        yield Fakes()
    forget_wiring()


class AtomicClient:
    """boto3's client as on AWS: calls are atomic, and an existing version is not overwritten."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()
        self._written: set[str] = set()
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(**arguments)

        return call

    def put_secret_value(self, **arguments: Any) -> None:
        with self._lock:
            if arguments["ClientRequestToken"] in self._written:
                raise self.exceptions.ResourceExistsException({"Error": {"Code": "ResourceExistsException"}}, "Put")
            self._client.put_secret_value(**arguments)
            self._written.add(arguments["ClientRequestToken"])


class CrashingClient:
    """boto3's client, which fails from its nth call on."""

    def __init__(self, client: Any, calls: int) -> None:
        self._client = client
        self._calls = calls
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        if self._calls == 0:
            raise TimeoutError
        self._calls -= 1
        return getattr(self._client, name)


def test_a_rotation_that_runs_twice_at_once_is_one_rotation(fakes: Fakes) -> None:
    fakes.rotation = fakes.rotation_through(AtomicClient(fakes.manager))
    for _ in range(5):
        _, next_key = fakes.signing()
        outcomes = concurrently([partial(fakes.rotate, str(uuid4()))] * 2)
        assert outcomes == [None, None]
        assert fakes.signing()[0] == next_key
        fakes.check_finished()


def test_a_version_that_the_same_rotation_made_meanwhile_is_used(fakes: Fakes) -> None:
    """moto overwrites it, where AWS raises an error."""
    token = str(uuid4())

    class OvertakenClient:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def put_secret_value(self, **arguments: Any) -> None:
            self._client.put_secret_value(**arguments)
            if arguments["ClientRequestToken"] != token:
                return
            raise self._client.exceptions.ResourceExistsException({"Error": {"Code": "ResourceExistsException"}}, "Put")

    fakes.rotation_through(OvertakenClient(fakes.manager)).step("createSecret", token)
    fakes.rotate(token)
    fakes.check_finished()


def test_tokens_from_before_during_and_after_a_rotation_stay_valid(fakes: Fakes) -> None:
    for _ in range(4):
        first, next_key = fakes.signing()
        token = str(uuid4())
        for step in STEPS:
            fakes.check_tokens()
            fakes.rotation.step(step, token)
        fakes.check_tokens()
        assert fakes.signing()[0] == next_key
        assert first in {key["kid"] for key in fakes.verification()}
        fakes.check_finished()


@pytest.mark.parametrize("then", ["it is repeated", "another follows"])
def test_a_rotation_that_crashes_at_any_call_can_be_completed(fakes: Fakes, then: str) -> None:
    for calls in range(100):
        _, next_key = fakes.signing()
        token = str(uuid4())
        crashing = fakes.rotation_through(CrashingClient(fakes.manager, calls))
        try:
            for step in STEPS:
                crashing.step(step, token)
        except TimeoutError:
            fakes.check_tokens()
        else:
            break
        if then == "it is repeated":
            fakes.rotate(token)
        else:
            with suppress(TooSoon):  # it has already switched the keys
                fakes.rotate()
        assert fakes.signing()[0] == next_key
        fakes.check_finished()
    assert 15 < calls < 99


@pytest.mark.parametrize("steps", list(permutations(STEPS)))
def test_steps_out_of_order_keep_tokens_valid(fakes: Fakes, steps: tuple[str, ...]) -> None:
    token = str(uuid4())
    for step in steps:
        with suppress(Superseded, Unpublished, Missing):
            fakes.rotation.step(step, token)
        fakes.check_tokens()
    fakes.rotate(token)
    fakes.check_finished()


@pytest.mark.parametrize("twice", STEPS)
def test_a_step_repeated_changes_nothing_more(fakes: Fakes, twice: str) -> None:
    token = str(uuid4())
    for step in STEPS:
        fakes.rotation.step(step, token)
        before = fakes.rotation.state()
        if step == twice:
            fakes.rotation.step(step, token)
        assert fakes.rotation.state() == before
    fakes.rotate(token)  # the whole rotation again, after its end
    assert fakes.rotation.state() == before


@pytest.mark.parametrize(("done", "then"), list(product(range(1, 4), repeat=2)))
def test_of_two_interleaved_rotations_the_overtaken_one_stops(fakes: Fakes, done: int, then: int) -> None:
    slow, fast = str(uuid4()), str(uuid4())
    fakes.rotate(slow, STEPS[:done])
    fakes.rotate(fast, STEPS[:then])
    fakes.check_tokens()
    with pytest.raises(Superseded):
        fakes.rotate(slow, STEPS[done:])
    fakes.rotate(fast, STEPS[then:])
    fakes.check_finished()


def test_a_rotation_made_from_replaced_keys_can_never_finish(fakes: Fakes) -> None:
    stale = str(uuid4())
    fakes.rotate(stale, STEPS[:3])
    fakes.rotate()
    fakes.check_finished()
    # AWSPENDING alone marks a rotation as in progress.
    fakes.manager.update_secret_version_stage(
        SecretId=f"{PREFIX}jwt/signing",
        VersionStage="AWSPENDING",
        MoveToVersionId=stale,
    )
    before = fakes.signing()
    with pytest.raises(Superseded):
        fakes.rotate(stale)
    assert fakes.signing() == before
    fakes.check_finished()


def test_a_version_with_a_label_but_no_value_stops_no_rotation(fakes: Fakes) -> None:
    token = str(uuid4())
    secret = secretsmanager_backends["123456789012"]["ap-northeast-2"].secrets[f"{PREFIX}jwt/signing"]
    secret.versions[token] = {"createdate": 0, "version_id": token, "version_stages": ["AWSPENDING"]}
    fakes.rotation.step("setSecret", str(secret.default_version_id))
    fakes.rotate(token)
    fakes.check_finished()


def test_a_key_verifies_until_its_last_token_expires_and_the_next_rotation_removes_it(fakes: Fakes) -> None:
    old = fakes.signing()[0]
    fakes.rotate()
    fakes.now += VERIFY_FOR - timedelta(seconds=1)
    fakes.rotate()
    assert old in {key["kid"] for key in fakes.verification()}
    fakes.now += timedelta(days=30)
    fakes.rotate()
    assert old not in {key["kid"] for key in fakes.verification()}


def test_a_key_that_verifiers_may_not_know_yet_does_not_sign(fakes: Fakes) -> None:
    fakes.rotate()
    before = fakes.rotation.state()
    fakes.now += KNOWN_AFTER - timedelta(seconds=1)
    with pytest.raises(TooSoon, match=" in 1 s"):
        fakes.rotate()
    assert fakes.rotation.state() == before
    fakes.check_finished()
    fakes.rotate()


def test_with_monthly_rotations_the_previous_the_current_and_the_next_key_are_published(fakes: Fakes) -> None:
    for _ in range(3):
        old = fakes.signing()[0]
        fakes.rotate()
        assert [key["kid"] for key in fakes.verification()] == [old, *fakes.signing()]
        fakes.now += timedelta(days=30)


def test_a_single_key_gets_a_next_key_before_it_is_replaced(fakes: Fakes) -> None:
    for name in ("jwt/signing", "jwt/verification"):
        single = {"keys": fakes.secret(name)[:1]}
        fakes.manager.put_secret_value(SecretId=PREFIX + name, SecretString=json.dumps(single))
    fakes.read_before = fakes.verification()
    (only,) = fakes.signing()
    fakes.rotate()
    assert fakes.signing()[0] == only
    fakes.check_finished()
    fakes.rotate()
    assert fakes.signing()[0] != only
    fakes.check_finished()


def test_a_next_key_that_is_not_published_is_published_before_it_signs(fakes: Fakes) -> None:
    unpublished = {"keys": fakes.secret("jwt/verification")[:1]}
    fakes.manager.put_secret_value(SecretId=f"{PREFIX}jwt/verification", SecretString=json.dumps(unpublished))
    fakes.read_before = fakes.verification()
    with pytest.raises(TooSoon):
        fakes.rotate()
    fakes.check_finished()
    fakes.rotate()
    fakes.check_finished()


def test_one_manual_call_runs_a_whole_rotation(fakes: Fakes) -> None:
    _, next_key = fakes.signing()
    state = rotate_signing_key.handler({}, None)
    fakes.check_finished()
    assert state["signing"] == fakes.signing()
    assert state["signing"][0] == next_key
    assert state["verification"] == [key["kid"] for key in fakes.verification()]


def test_after_a_leak_one_call_replaces_every_key(fakes: Fakes) -> None:
    fakes.check_tokens()
    leaked = {key["kid"] for key in fakes.verification()}
    state = rotate_signing_key.handler({"leaked": True}, None)
    assert leaked.isdisjoint(state["signing"] + state["verification"])
    assert set(state["signing"]) <= set(state["verification"])
    assert not any(fakes.verifies(token, fakes.verification()) for _, token in fakes.tokens)


def test_secrets_manager_runs_single_steps_and_for_this_secret_only(fakes: Fakes) -> None:
    arn = fakes.manager.describe_secret(SecretId=f"{PREFIX}jwt/signing")["ARN"]
    _, next_key = fakes.signing()
    token = str(uuid4())
    for step in STEPS:
        rotate_signing_key.handler({"Step": step, "SecretId": arn, "ClientRequestToken": token}, None)
    assert fakes.signing()[0] == next_key
    other = fakes.manager.describe_secret(SecretId=f"{PREFIX}jwt/verification")["ARN"]
    for event in (
        {"Step": "createSecret", "SecretId": other, "ClientRequestToken": token},
        {"Step": "deleteSecret", "SecretId": arn, "ClientRequestToken": token},
    ):
        with pytest.raises(ValueError, match="no"):
            rotate_signing_key.handler(event, None)


def test_published_keys_contain_nothing_private_and_no_times(fakes: Fakes) -> None:
    fakes.rotate()
    forget_wiring()
    published = json.loads(list_verification_keys.handler({"headers": {}}, None)["body"])["keys"]
    assert len(published) == 3
    assert all(sorted(key) == ["alg", "crv", "kid", "kty", "use", "x", "y"] for key in published)
