"""The accounts service's functions as Lambda calls them, from the sample events to the stores, the sandbox and back."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from uuid import UUID

import httpx
import psycopg
import pytest
from moto import mock_aws

from common import postgres, redis
from common import secrets as kept_secrets
from common.clock import new_id
from common.postgres import Database
from functions.auth import authorizer, captcha, composition, login, logout, register
from functions.auth.password_hasher import PasswordHasher
from seed.accounts import seed_accounts
from seed.secrets import make, publish

SAMPLES = Path(__file__).parents[2] / "events"
Event = dict[str, Any]
SECRETS = {**make(), "database/user_service": {"password": "test-only"}}


def sample(function: str, body: Event | None = None) -> Event:
    """The sample event of a function, with these fields of its body instead; None takes a field away."""
    event: Event = json.loads((SAMPLES / f"auth_{function}.json").read_text(encoding="utf-8"))
    if body is not None:
        whole = {**json.loads(event["body"] or "{}"), **body}
        event["body"] = json.dumps({name: value for name, value in whole.items() if value is not None})
    return event


def call(function: str, event: Event | None = None, **body: Any) -> tuple[int, Any]:
    """Status and body of the answer."""
    handlers: ModuleType = import_module(f"functions.auth.{function}")
    answer = handlers.handler(event or sample(function, body), None)
    return answer["statusCode"], json.loads(answer["body"] or "null")


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


def authorize(access_token: str) -> Event:
    """What the gateway hands on to the functions behind the authorizer: context, as strings."""
    event = sample("authorizer")
    event["headers"]["Authorization"] = f"Bearer {access_token}"
    decision = authorizer.handler(event, None)
    return {
        "effect": decision["policyDocument"]["Statement"][0]["Effect"],
        **{name: str(value) for name, value in decision["context"].items()},
    }


def as_user(function: str, access_token: str, body: Event | None = None) -> Event:
    event = sample(function, body)
    context = authorize(access_token)
    assert context.pop("effect") == "Allow"
    event["requestContext"]["authorizer"] = context
    return event


def forget() -> None:
    built = (
        postgres.database,
        redis.client,
        authorizer.verifier,
        captcha.captcha,
        composition.accounts,
        composition.sessions,
        register.registration,
        login.sign_in,
        logout.sign_out,
    )
    for each in built:
        each.cache_clear()
    kept_secrets._kept.clear()


@pytest.fixture(autouse=True)
def _deployed(
    postgres_url: str,
    redis_url: str,
    redis: redis.Client,  # an empty one
    sandbox_url: str,
    database_of: Callable[[str], Database],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """The functions' environment and secrets as template.yaml gives them, over the seeded accounts."""
    address = psycopg.conninfo.conninfo_to_dict(postgres_url)
    prefix = f"test-{new_id()}/"
    for name, setting in {
        "DATABASE_HOST": address["host"],
        "DATABASE_PORT": address["port"],
        "DATABASE_NAME": address["dbname"],
        "DATABASE_USER": "user_service",
        "DATABASE_SSLMODE": "disable",
        "REDIS_URL": redis_url,
        "REDIS_CLUSTER": "false",
        "SECRETS_PREFIX": prefix,
        "CAPTCHA_URL": f"{sandbox_url}/recaptcha/api/siteverify",
        "PORTONE_URL": sandbox_url,
        "TOKEN_ISSUER": "ticketing",
        "TOKEN_AUDIENCE": "ticketing-api",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, str(setting))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    kept_secrets._secrets_manager.cache_clear()
    forget()
    seed_accounts(database_of("user_service"), PasswordHasher(cost=4))
    with mock_aws():
        publish(SECRETS, prefix)
        yield
        if postgres.database.cache_info().currsize:
            postgres.database().close()
    forget()
    kept_secrets._secrets_manager.cache_clear()


@pytest.fixture
def verified(sandbox_url: str) -> str:
    """An identity verification of somebody new."""
    person = {"name": "홍길동", "phoneNumber": "010-1234-5678", "birthDate": "1990-01-01", "ci": f"ci-{new_id()}"}
    answer = httpx.post(f"{sandbox_url}/sandbox/identity-verifications", json=person)
    return cast(str, answer.raise_for_status().json()["identityVerificationId"])


@pytest.fixture
def faults(sandbox_url: str) -> Iterator[Callable[[str], None]]:
    def strike(mode: str) -> None:
        httpx.put(f"{sandbox_url}/sandbox/faults", json={"mode": mode}).raise_for_status()

    yield strike
    strike("none")


def signed_in(**body: Any) -> Event:
    status, pair = call("login", **body)
    assert status == 200
    return cast(Event, pair)


def test_from_registration_to_signing_out(verified: str) -> None:
    status, registered = call("register", identityVerificationId=verified, email="Hong@example.com")
    assert (status, sorted(registered)) == (201, ["email", "id", "name", "role"])
    assert (registered["email"], registered["name"], registered["role"]) == ("Hong@example.com", "홍길동", "USER")

    pair = signed_in(email="hong@EXAMPLE.com", password="correct-horse-7")
    assert sorted(pair) == ["accessToken", "expiresIn", "refreshToken", "tokenType"]
    assert (pair["expiresIn"], pair["tokenType"]) == (3600, "Bearer")

    status, me = call("me", as_user("me", pair["accessToken"]))
    assert status == 200
    created_at = datetime.fromisoformat(me.pop("createdAt"))
    assert created_at.tzinfo is not None
    assert me == {**registered, "phone": "01012345678", "emailVerified": False}

    status, renewed = call("refresh", refreshToken=pair["refreshToken"])
    assert status == 200
    out = as_user("logout", renewed["accessToken"], {"refreshToken": renewed["refreshToken"]})
    assert call("logout", out) == (204, None)
    assert authorize(renewed["accessToken"])["code"] == "TOKEN_REVOKED"
    assert code(call("refresh", refreshToken=renewed["refreshToken"])) == (401, "TOKEN_INVALID")
    assert authorize(pair["accessToken"])["effect"] == "Allow"  # another token of the session lives out its hour


def test_the_seeded_accounts_are_there_once_and_sign_in(
    database_of: Callable[[str], Database], superuser: Database
) -> None:
    seed_accounts(database_of("user_service"))
    assert len(superuser.rows("SELECT id FROM user_service.users")) == 2
    assert authorize(signed_in()["accessToken"])["role"] == "USER"
    admin = signed_in(email="admin@example.com", password="local-admin-1234")
    assert authorize(admin["accessToken"])["role"] == "ADMIN"


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"password": "short1"}, (400, "VALIDATION_ERROR")),
        ({"email": "nonsense"}, (400, "VALIDATION_ERROR")),
        ({"agreements": None}, (400, "VALIDATION_ERROR")),
        ({"agreements": []}, (422, "AGREEMENT_REQUIRED")),
        ({"captchaToken": "robot"}, (403, "CAPTCHA_FAILED")),
        ({"identityVerificationId": "nobody's"}, (422, "IDENTITY_NOT_VERIFIED")),
        ({"identityVerificationId": "../payments/x"}, (422, "IDENTITY_NOT_VERIFIED")),
        ({"email": "DEMO@example.com"}, (409, "EMAIL_TAKEN")),
    ],
)
def test_a_registration_is_refused_as_the_contract_says(
    verified: str, changed: Event, refusal: tuple[int, str]
) -> None:
    assert code(call("register", **{"identityVerificationId": verified, **changed})) == refusal


def test_a_person_with_an_account_gets_no_second_one(verified: str) -> None:
    assert call("register", identityVerificationId=verified, email="first@example.com")[0] == 201
    again = call("register", identityVerificationId=verified, email="second@example.com")
    assert code(again) == (409, "IDENTITY_TAKEN")


@pytest.mark.parametrize("email", ["demo@example.com", "nobody@example.com"])
def test_a_failed_sign_in_says_the_same_of_an_account_and_of_none(email: str) -> None:
    status, body = call("login", email=email, password="wrong-password-1")
    assert (status, body["code"]) == (401, "INVALID_CREDENTIALS")
    assert "details" not in body


def test_a_spent_refresh_token_is_told_so() -> None:
    pair = signed_in()
    assert call("refresh", refreshToken=pair["refreshToken"])[0] == 200
    assert code(call("refresh", refreshToken=pair["refreshToken"])) == (401, "TOKEN_REUSED")


@pytest.mark.parametrize("body", [None, "", "{}", '{"refreshToken": null}'])
def test_signing_out_needs_no_body(body: str | None) -> None:
    token = signed_in()["accessToken"]
    event = {**as_user("logout", token), "body": body}
    assert call("logout", event) == (204, None)
    assert authorize(token)["code"] == "TOKEN_REVOKED"


def test_an_unreadable_body_signs_nobody_out() -> None:
    token = signed_in()["accessToken"]
    assert code(call("logout", {**as_user("logout", token), "body": "{"})) == (400, "VALIDATION_ERROR")
    assert authorize(token)["effect"] == "Allow"


def test_a_token_that_outlived_its_account_is_invalid() -> None:
    assert code(call("me")) == (401, "TOKEN_INVALID")  # the sample's user was never there


def test_the_public_keys_may_be_kept_for_a_while_and_hold_nothing_private() -> None:
    answer = import_module("functions.auth.jwks").handler(sample("jwks"), None)
    assert answer["headers"]["Cache-Control"] == "public, max-age=300"
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    (key,) = json.loads(answer["body"])["keys"]
    assert key == SECRETS["jwt/verification"]["keys"][0]
    assert sorted(key) == ["alg", "crv", "kid", "kty", "use", "x", "y"]


def test_everything_else_is_never_cached() -> None:
    assert (
        import_module("functions.auth.login").handler(sample("login"), None)["headers"]["Cache-Control"] == "no-store"
    )


def test_while_the_outside_world_is_down_nobody_passes_unseen(faults: Callable[[str], None], verified: str) -> None:
    faults("error")
    assert code(call("login")) == (503, "SERVICE_UNAVAILABLE")
    assert code(call("register", identityVerificationId=verified)) == (503, "SERVICE_UNAVAILABLE")


def test_while_redis_is_away_the_authorizer_opens_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed_in()["accessToken"]
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    redis.client.cache_clear()
    authorizer.verifier.cache_clear()
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9"):
        authorize(token)


def test_every_token_names_its_user(superuser: Database) -> None:
    (row,) = superuser.rows("SELECT id FROM user_service.users WHERE email = 'demo@example.com'")
    assert UUID(authorize(signed_in()["accessToken"])["sub"]) == row["id"]
