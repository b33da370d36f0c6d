"""The auth service's functions as Lambda calls them, from the sample events to the stores, the sandbox and back."""

import json
from base64 import b64encode
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

from common.domain.clock import new_id
from common.domain.ids import UserId
from common.domain.shared_errors import AccountInUse, DomainError, ServiceUnavailable
from common.stores import redis
from common.stores.postgres import Database
from common.wiring.database import database
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secrets_manager
from functions.auth.adapters.password_hasher import PasswordHasher
from functions.auth.handlers import authorize_request, reseal_personal_data
from functions.auth.wiring.access_token_verification import access_token_verifier
from local.seed.accounts import seed_accounts
from local.seed.personal_data import make_kms_key, open_vault
from local.seed.secrets import make, publish
from tests.support.fresh_wiring import forget_wiring

SAMPLES = Path(__file__).parents[2] / "events"
Event = dict[str, Any]
SECRETS = {**make(), "database/user_service": {"password": "test-only"}}
KMS_KEY = "alias/ticketing-personal-data"


def sample(function: str, body: Event | None = None) -> Event:
    """The sample event of a function with these fields in its body; None removes a field."""
    event: Event = json.loads((SAMPLES / f"{function}.json").read_text(encoding="utf-8"))
    if body is not None:
        fields = {**json.loads(event["body"] or "{}"), **body}
        event["body"] = json.dumps({name: value for name, value in fields.items() if value is not None})
    return event


def call(function: str, event: Event | None = None, **body: Any) -> tuple[int, Any]:
    """Status and body of the response."""
    handlers: ModuleType = import_module(f"functions.auth.handlers.{function}")
    response = handlers.handler(event or sample(function, body), None)
    return response["statusCode"], json.loads(response["body"] or "null")


def code(response: tuple[int, Any]) -> tuple[int, str]:
    return response[0], response[1]["code"]


def authorize(access_token: str) -> Event:
    """What the gateway passes to the functions behind the authorizer: the context, as strings."""
    event = sample("authorize_request")
    event["headers"]["Authorization"] = f"Bearer {access_token}"
    decision = authorize_request.handler(event, None)
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


class FakePurchases:
    """The reservations service."""

    calls: list[bool]
    error: DomainError | None

    def close(self, _user_id: UserId, *, cancel: bool) -> None:
        self.calls.append(cancel)
        if self.error:
            raise self.error


purchases = FakePurchases()


def seed_demo_accounts(database: Database) -> None:
    make_kms_key(KMS_KEY)
    seed_accounts(database, open_vault(database, KMS_KEY, SECRETS), PasswordHasher(cost=4))


@pytest.fixture(scope="module", autouse=True)
def _aws() -> Iterator[None]:
    """One KMS and Secrets Manager for all: each test has its own secrets, under a prefix, and data keys."""
    with mock_aws():
        yield


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
        "PERSONAL_DATA_KMS_KEY": KMS_KEY,
        "CAPTCHA_URL": f"{sandbox_url}/recaptcha/api/siteverify",
        "PORTONE_URL": sandbox_url,
        "TOKEN_ISSUER": "ticketing",
        "TOKEN_AUDIENCE": "ticketing-api",
        "BCRYPT_COST": "4",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, str(setting))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    secrets_manager.cache_clear()
    forget_wiring()
    purchases.calls, purchases.error = [], None
    monkeypatch.setattr("functions.auth.handlers.withdraw_account.purchases", lambda: purchases)
    publish(SECRETS, prefix)
    seed_demo_accounts(database_of("user_service"))
    yield
    if database.cache_info().currsize:
        database().close()
    forget_wiring()
    secrets_manager.cache_clear()


@pytest.fixture
def verification_id(sandbox_url: str) -> str:
    """An identity verification of a new person."""
    person = {"name": "홍길동", "phoneNumber": "010-1234-5678", "birthDate": "1990-01-01", "ci": f"ci-{new_id()}"}
    response = httpx.post(f"{sandbox_url}/sandbox/identity-verifications", json=person)
    return cast(str, response.raise_for_status().json()["identityVerificationId"])


@pytest.fixture
def set_sandbox_fault(sandbox_url: str) -> Iterator[Callable[[str], None]]:
    def set_fault(mode: str) -> None:
        httpx.put(f"{sandbox_url}/sandbox/faults", json={"mode": mode}).raise_for_status()

    yield set_fault
    set_fault("none")


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 300_000


def logged_in(**body: Any) -> Event:
    status, pair = call("log_in", **body)
    assert status == 200
    return cast(Event, pair)


def test_an_address_can_log_in_a_dozen_times_at_once_and_then_ten_times_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RATE_LIMITS", "on")

    statuses = [call("log_in", email="DEMO@example.com", password="local-demo-1234")[0] for _ in range(14)]

    assert statuses == [200] * 12 + [429] * 2
    other, _ = call("log_in", email="admin@example.com", password="local-admin-1234")
    assert other == 200


def test_from_registration_to_logout(verification_id: str) -> None:
    status, registered = call("register_account", identityVerificationId=verification_id, email="Hong@example.com")
    assert (status, sorted(registered)) == (201, ["email", "id", "name", "role"])
    assert (registered["email"], registered["name"], registered["role"]) == ("Hong@example.com", "홍길동", "USER")

    pair = logged_in(email="hong@EXAMPLE.com", password="correct-horse-7")
    assert sorted(pair) == ["accessToken", "expiresIn", "refreshToken", "tokenType"]
    assert (pair["expiresIn"], pair["tokenType"]) == (3600, "Bearer")

    status, me = call("read_account", as_user("read_account", pair["accessToken"]))
    assert status == 200
    created_at = datetime.fromisoformat(me.pop("createdAt"))
    assert created_at.tzinfo is not None
    assert me == {**registered, "phone": "01012345678", "emailVerified": False}

    status, renewed = call("refresh_tokens", refreshToken=pair["refreshToken"])
    assert status == 200
    out = as_user("log_out", renewed["accessToken"], {"refreshToken": renewed["refreshToken"]})
    assert call("log_out", out) == (204, None)
    assert authorize(renewed["accessToken"])["code"] == "TOKEN_REVOKED"
    assert code(call("refresh_tokens", refreshToken=renewed["refreshToken"])) == (401, "TOKEN_INVALID")
    assert authorize(pair["accessToken"])["code"] == "TOKEN_REVOKED"  # an earlier token of the same session


def test_the_seeded_accounts_exist_once_and_can_log_in(
    database_of: Callable[[str], Database], superuser: Database
) -> None:
    seed_demo_accounts(database_of("user_service"))
    assert len(superuser.rows("SELECT id FROM user_service.users")) == 2
    assert authorize(logged_in()["accessToken"])["role"] == "USER"
    admin = logged_in(email="admin@example.com", password="local-admin-1234")
    assert authorize(admin["accessToken"])["role"] == "ADMIN"


@pytest.mark.parametrize(
    ("changed", "rejection"),
    [
        ({"password": "short1"}, (400, "VALIDATION_ERROR")),
        ({"email": "nonsense"}, (400, "VALIDATION_ERROR")),
        ({"agreements": None}, (400, "VALIDATION_ERROR")),
        ({"agreements": []}, (422, "AGREEMENT_REQUIRED")),
        ({"captchaToken": "robot"}, (403, "CAPTCHA_FAILED")),
        ({"identityVerificationId": "unknown"}, (422, "IDENTITY_NOT_VERIFIED")),
        ({"identityVerificationId": "../payments/x"}, (422, "IDENTITY_NOT_VERIFIED")),
        ({"email": "DEMO@example.com"}, (409, "EMAIL_TAKEN")),
    ],
)
def test_a_registration_is_rejected_with_the_documented_error(
    verification_id: str, changed: Event, rejection: tuple[int, str]
) -> None:
    assert code(call("register_account", **{"identityVerificationId": verification_id, **changed})) == rejection


def test_a_person_with_an_account_cannot_register_again(verification_id: str) -> None:
    assert call("register_account", identityVerificationId=verification_id, email="first@example.com")[0] == 201
    again = call("register_account", identityVerificationId=verification_id, email="second@example.com")
    assert code(again) == (409, "IDENTITY_TAKEN")


@pytest.mark.parametrize("email", ["demo@example.com", "nobody@example.com"])
def test_a_failed_login_looks_the_same_with_and_without_an_account(email: str) -> None:
    status, body = call("log_in", email=email, password="wrong-password-1")
    assert (status, body["code"]) == (401, "INVALID_CREDENTIALS")
    assert "details" not in body


def test_a_spent_refresh_token_is_accepted_from_another_tab_and_rejected_from_another_device() -> None:
    body = {"refreshToken": logged_in()["refreshToken"]}
    assert [call("refresh_tokens", **body)[0] for _tab in range(2)] == [200, 200]
    for header in ("User-Agent", "X-Device-Fingerprint"):
        body = {"refreshToken": logged_in()["refreshToken"]}
        assert call("refresh_tokens", **body)[0] == 200
        event = sample("refresh_tokens", body)
        event["headers"][header] = "another"
        assert code(call("refresh_tokens", event)) == (401, "TOKEN_REUSED")


@pytest.mark.parametrize("body", [None, "", "{}", '{"refreshToken": null}'])
def test_logging_out_needs_no_body(body: str | None) -> None:
    token = logged_in()["accessToken"]
    event = {**as_user("log_out", token), "body": body}
    assert call("log_out", event) == (204, None)
    assert authorize(token)["code"] == "TOKEN_REVOKED"


def test_an_unreadable_body_ends_no_session() -> None:
    token = logged_in()["accessToken"]
    assert code(call("log_out", {**as_user("log_out", token), "body": "{"})) == (400, "VALIDATION_ERROR")
    assert authorize(token)["effect"] == "Allow"


def test_a_token_of_an_account_that_does_not_exist_is_invalid() -> None:
    assert code(call("read_account")) == (401, "TOKEN_INVALID")  # the sample's user does not exist


def test_the_public_keys_can_be_cached_and_contain_nothing_private() -> None:
    response = import_module("functions.auth.handlers.list_verification_keys").handler(
        sample("list_verification_keys"), None
    )
    assert response["headers"]["Cache-Control"] == "public, max-age=300"
    assert response["headers"]["X-Content-Type-Options"] == "nosniff"
    keys = json.loads(response["body"])["keys"]
    assert keys == SECRETS["jwt/verification"]["keys"]
    assert all(sorted(key) == ["alg", "crv", "kid", "kty", "use", "x", "y"] for key in keys)


def test_other_responses_are_not_cached() -> None:
    assert (
        import_module("functions.auth.handlers.log_in").handler(sample("log_in"), None)["headers"]["Cache-Control"]
        == "no-store"
    )


def test_while_captcha_and_portone_are_unavailable_requests_get_503(
    set_sandbox_fault: Callable[[str], None], verification_id: str
) -> None:
    set_sandbox_fault("error")
    assert code(call("log_in")) == (503, "SERVICE_UNAVAILABLE")
    assert code(call("register_account", identityVerificationId=verification_id)) == (503, "SERVICE_UNAVAILABLE")


def test_while_redis_is_unavailable_the_authorizer_fails_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    token = logged_in()["accessToken"]
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    redis_client.cache_clear()
    access_token_verifier.cache_clear()
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9"):
        authorize(token)


def test_every_token_names_its_user(superuser: Database) -> None:
    (row,) = superuser.rows("SELECT id FROM user_service.users WHERE role = 'USER'")
    assert UUID(authorize(logged_in()["accessToken"])["sub"]) == row["id"]


def test_a_sealed_value_moved_to_another_row_is_never_shown(superuser: Database) -> None:
    token = logged_in()["accessToken"]
    with superuser.transaction() as connection:
        connection.execute(
            "UPDATE user_service.users SET email_sealed ="
            " (SELECT email_sealed FROM user_service.users WHERE role = 'ADMIN') WHERE role = 'USER'"
        )
    status, body = call("read_account", as_user("read_account", token))
    assert (status, body["code"], sorted(body)) == (500, "INTERNAL_ERROR", ["code", "message", "timestamp", "traceId"])


def encodings(text: str) -> list[str]:
    """A text as a dump might contain it: as it is, in hex, in base64 at any offset."""
    found = [text, text.encode().hex()]
    for shift in range(3):
        encoded = b64encode(b"\0" * shift + text.encode()).decode()
        # The first and the last characters depend on the bytes around the text.
        found.append(encoded[(0, 2, 3)[shift] :].rstrip("=")[:-1])
    return [encoding.casefold() for encoding in found]


def test_a_dump_of_every_table_shows_no_personal_data(superuser: Database, postgres_url: str, sandbox_url: str) -> None:
    person = {"name": "황보길동", "phoneNumber": "010-7351-9246", "birthDate": "1990-01-01", "ci": f"ci-{new_id()}"}
    response = httpx.post(f"{sandbox_url}/sandbox/identity-verifications", json=person).raise_for_status().json()
    verification = response["identityVerificationId"]
    email, ip, agent = "Hwangbo.Gildong@example.org", "198.51.100.237", "Mozilla/5.0 (Hwangbo)"

    def call_from_browser(function: str, **body: Any) -> tuple[int, Any]:
        event = sample(function, body)
        event["headers"] |= {"User-Agent": agent, "X-Forwarded-For": ip}
        event["requestContext"]["identity"] |= {"sourceIp": ip, "userAgent": agent}
        return call(function, event)

    assert call_from_browser("register_account", email=email, identityVerificationId=verification)[0] == 201
    for password in ("correct-horse-7", "wrong-horse-7"):
        call_from_browser("log_in", email=email, password=password)

    tables = superuser.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'user_service'")
    dumps = []
    with psycopg.connect(postgres_url) as connection:
        for table in tables:
            name = psycopg.sql.Identifier("user_service", table["tablename"])
            with connection.cursor().copy(psycopg.sql.SQL("COPY {} TO STDOUT").format(name)) as copy:
                dumps += [bytes(block).decode().casefold() for block in copy]
    dump = "".join(dumps)
    assert "terms_of_service" in dump
    assert len(dump) > 2000
    local, network = email.split("@")[0], ip.rpartition(".")[0]
    names = (email, local, person["name"], "01073519246", "7351-9246", person["ci"])
    for needle in (*names, verification, ip, network, agent, "correct-horse-7"):
        for encoding in encodings(needle):
            assert encoding not in dump, needle


def test_the_search_in_a_dump_finds_personal_data() -> None:
    for text, dump in (
        ("198.51.100.237", b"x 198.51.100.237"),
        ("198.51.100.237", b'{"ip":"198.51.100.237"}'.hex().encode()),
        *(("198.51.100.237", b64encode(b"y" * shift + b"198.51.100.237, z")) for shift in range(6)),
    ):
        assert any(each in dump.decode().casefold() for each in encodings(text))


def test_personal_data_is_resealed_when_its_key_is_old(
    superuser: Database, capsys: pytest.CaptureFixture[str], verification_id: str
) -> None:
    def run() -> Event:
        capsys.readouterr()
        reseal_personal_data.handler(sample("reseal_personal_data"), Context())
        return cast(Event, json.loads(capsys.readouterr().out.splitlines()[-1]))

    assert call("register_account", identityVerificationId=verification_id, email="first@example.com")[0] == 201
    first_run = run()
    assert [first_run[name] for name in ("RowsResealed", "RowsToReseal", "SealsBroken")] == [[0], [0], [0]]
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.data_keys SET created_at = created_at - interval '90 days'")
    rotated = run()
    assert [rotated[name] for name in ("RowsResealed", "RowsToReseal", "SealsBroken")] == [[3], [0], [0]]
    assert rotated["DataKeyAge"][0] < 60
    assert run()["RowsResealed"] == [0]
    pair = logged_in(email="first@example.com", password="correct-horse-7")
    assert call("read_account", as_user("read_account", pair["accessToken"]))[1]["email"] == "first@example.com"


def verify_identity(sandbox_url: str, ci: str) -> str:
    """A new identity verification of this person."""
    person = {"name": "홍길동", "phoneNumber": "010-1234-5678", "birthDate": "1990-01-01", "ci": ci}
    response = httpx.post(f"{sandbox_url}/sandbox/identity-verifications", json=person)
    return cast(str, response.raise_for_status().json()["identityVerificationId"])


def test_only_name_and_phone_of_an_account_can_be_edited() -> None:
    token = logged_in()["accessToken"]
    before = call("read_account", as_user("read_account", token))[1]
    for field, value in {"role": "ADMIN", "email": "x@example.com", "id": str(new_id()), "emailVerified": True}.items():
        rejected = call("edit_account", as_user("edit_account", token, {"name": "이몽룡", field: value}))
        assert code(rejected) == (400, "VALIDATION_ERROR")
        assert [fault["field"] for fault in rejected[1]["details"]] == [field]
    status, edited = call("edit_account", as_user("edit_account", token, {"name": " 김하늘 ", "phone": None}))
    assert (status, edited) == (200, {**before, "name": "김하늘"})
    status, edited = call("edit_account", as_user("edit_account", token, {"name": None, "phone": "010-9876-5432"}))
    assert (status, edited) == (200, {**before, "name": "김하늘", "phone": "010-9876-5432"})
    assert call("read_account", as_user("read_account", token))[1] == edited


def test_an_edit_rejects_malformed_values() -> None:
    token = logged_in()["accessToken"]
    for wrong in ({"name": ""}, {"name": "a" * 101}, {"name": "\x00"}, {"phone": "nonsense"}, {"name": 7}):
        assert code(call("edit_account", as_user("edit_account", token, wrong))) == (400, "VALIDATION_ERROR")


def test_a_confirmed_address_shows_in_the_account(superuser: Database) -> None:
    token = logged_in()["accessToken"]
    assert call("read_account", as_user("read_account", token))[1]["emailVerified"] is False
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET email_verified_at = now()")
    assert call("read_account", as_user("read_account", token))[1]["emailVerified"] is True


def test_a_password_change_ends_the_other_sessions_and_the_old_password_fails() -> None:
    current, other = logged_in(), logged_in()
    assert call("change_password", as_user("change_password", current["accessToken"])) == (204, None)
    assert authorize(other["accessToken"])["code"] == "TOKEN_REVOKED"
    assert code(call("refresh_tokens", refreshToken=other["refreshToken"])) == (401, "TOKEN_INVALID")
    assert authorize(current["accessToken"])["effect"] == "Allow"
    assert call("refresh_tokens", refreshToken=current["refreshToken"])[0] == 200
    assert code(call("log_in")) == (401, "INVALID_CREDENTIALS")
    assert logged_in(password="another-horse-8")


@pytest.mark.parametrize(
    ("changed", "rejection"),
    [
        ({"currentPassword": "wrong-horse-7"}, (401, "INVALID_CREDENTIALS")),
        ({"currentPassword": ""}, (400, "VALIDATION_ERROR")),
        ({"newPassword": "short1"}, (400, "VALIDATION_ERROR")),
        ({"newPassword": None}, (400, "VALIDATION_ERROR")),
    ],
)
def test_a_rejected_password_change_changes_nothing(changed: Event, rejection: tuple[int, str]) -> None:
    current, other = logged_in(), logged_in()
    assert code(call("change_password", as_user("change_password", current["accessToken"], changed))) == rejection
    assert authorize(other["accessToken"])["effect"] == "Allow"
    assert logged_in()


@pytest.mark.parametrize(
    ("function", "field"), [("change_password", "currentPassword"), ("withdraw_account", "password")]
)
def test_guessing_the_password_with_a_stolen_token_locks_that_session_only(function: str, field: str) -> None:
    stolen, owners = logged_in()["accessToken"], logged_in()["accessToken"]
    for _ in range(5):
        guess = as_user(function, stolen, {field: "wrong-horse-7"})
        assert code(call(function, guess)) == (401, "INVALID_CREDENTIALS")
    response = import_module(f"functions.auth.handlers.{function}").handler(as_user(function, stolen), None)
    assert (response["statusCode"], json.loads(response["body"])["code"]) == (423, "ACCOUNT_LOCKED")
    assert 0 < int(response["headers"]["Retry-After"]) <= 60
    assert call(function, as_user(function, owners)) == (204, None)


def test_a_verified_person_resets_a_forgotten_password_once(sandbox_url: str) -> None:
    pair, verification = logged_in(), verify_identity(sandbox_url, "seed:demo@example.com")
    assert call("reset_password", email="DEMO@example.com", identityVerificationId=verification) == (204, None)
    assert authorize(pair["accessToken"])["code"] == "TOKEN_REVOKED"
    assert code(call("refresh_tokens", refreshToken=pair["refreshToken"])) == (401, "TOKEN_INVALID")
    assert code(call("log_in")) == (401, "INVALID_CREDENTIALS")
    assert logged_in(password="another-horse-8")
    again = call("reset_password", identityVerificationId=verification)
    assert code(again) == (422, "IDENTITY_NOT_VERIFIED")


def test_a_verified_person_corrects_a_mistyped_address_once(sandbox_url: str) -> None:
    pair, verification = logged_in(), verify_identity(sandbox_url, "seed:demo@example.com")
    taken = call("correct_email", email="admin@example.com", identityVerificationId=verification)
    assert code(taken) == (409, "EMAIL_TAKEN")
    assert authorize(pair["accessToken"])["effect"] == "Allow"
    assert call("correct_email", email="right@example.com", identityVerificationId=verification) == (204, None)
    assert authorize(pair["accessToken"])["code"] == "TOKEN_REVOKED"
    assert code(call("log_in")) == (401, "INVALID_CREDENTIALS")
    token = logged_in(email="right@example.com")["accessToken"]
    assert call("read_account", as_user("read_account", token))[1]["email"] == "right@example.com"
    again = call("correct_email", email="other@example.com", identityVerificationId=verification)
    assert code(again) == (422, "IDENTITY_NOT_VERIFIED")


def test_every_rejected_password_reset_gets_the_same_error(sandbox_url: str, verification_id: str) -> None:
    assert call("register_account", identityVerificationId=verification_id, email="hong@example.com")[0] == 201
    responses = [
        call("reset_password", identityVerificationId="unknown"),
        call("reset_password", identityVerificationId=verification_id),  # another person
        call("reset_password", identityVerificationId=verification_id, email="hong@example.com"),  # used to register
        call("reset_password", email="nobody@example.com", identityVerificationId=verify_identity(sandbox_url, "a")),
        call("reset_password", email="admin@example.com", identityVerificationId=verify_identity(sandbox_url, "b")),
    ]
    assert {code(response) for response in responses} == {(422, "IDENTITY_NOT_VERIFIED")}
    assert {response[1]["message"] for response in responses} == {responses[0][1]["message"]}
    assert logged_in(email="hong@example.com", password="correct-horse-7")


@pytest.mark.parametrize(
    ("error", "status"), [(AccountInUse({"tickets": ["a ticket"]}), 409), (ServiceUnavailable(retry_after=1), 503)]
)
def test_an_account_with_purchases_or_whose_purchases_cannot_be_asked_is_not_withdrawn(
    error: DomainError, status: int
) -> None:
    token = logged_in()["accessToken"]
    purchases.error = error
    response = call("withdraw_account", as_user("withdraw_account", token))
    assert code(response) == (status, error.code)
    assert response[1].get("details") == (error.details or None)
    assert authorize(token)["effect"] == "Allow"
    purchases.error = None
    assert call("withdraw_account", as_user("withdraw_account", token, {"cancelReservations": True})) == (204, None)
    assert purchases.calls == [False, True]


def test_a_withdrawn_account_ends_at_once_and_is_destroyed_after_the_retention_time(
    superuser: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = logged_in()
    assert code(
        call("withdraw_account", as_user("withdraw_account", pair["accessToken"], {"password": "wrong-horse-7"}))
    ) == (
        401,
        "INVALID_CREDENTIALS",
    )
    assert call("withdraw_account", as_user("withdraw_account", pair["accessToken"])) == (204, None)
    assert authorize(pair["accessToken"])["code"] == "TOKEN_REVOKED"
    assert code(call("refresh_tokens", refreshToken=pair["refreshToken"])) == (401, "TOKEN_INVALID")
    assert code(call("log_in")) == (401, "INVALID_CREDENTIALS")

    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET withdrawn_at = withdrawn_at - interval '30 days'")
    capsys.readouterr()
    import_module("functions.auth.handlers.retire_accounts").handler(sample("retire_accounts"), Context())
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    emitted = {name: line[name] for line in metrics for name in line if name[0].isupper()}
    assert emitted == {
        "AccountsDestroyed": [1.0],
        "AccountsMadeDormant": [0.0],
        "LoginsPruned": [0.0],
        "RefreshTokensPruned": [0.0],
    }
    assert code(call("log_in")) == (401, "INVALID_CREDENTIALS")
