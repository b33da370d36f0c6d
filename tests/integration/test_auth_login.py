"""Logging in through the handler and real stores: lockouts, history, what errors reveal (AUTH-006, AUTH-021)."""

import json
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from importlib import import_module
from threading import Lock
from typing import Any
from uuid import UUID

import pytest

from common.domain.clock import new_id, utc_now
from common.domain.ids import UserId
from common.domain.shared_errors import DomainError
from common.stores import redis
from common.stores.postgres import Database
from functions.auth.adapters.lockout_redis import Lockout
from functions.auth.adapters.password_hasher import PasswordHasher
from functions.auth.domain.account import Credentials, Role
from functions.auth.domain.caller import Caller
from functions.auth.domain.lockout import LockoutTerms
from functions.auth.domain.login_record import CallerHistory
from functions.auth.usecases.login import Login
from functions.auth.wiring.lockout import lockout
from functions.auth.wiring.lookup_hash import lookup
from functions.auth.wiring.passwords import password_hasher
from tests.integration.test_auth_handlers import (
    Event,
    _aws,  # noqa: F401 - a fixture
    _deployed,  # noqa: F401 - a fixture
    as_user,
    call,
    code,
    logged_in,
    sample,
    verification_id,  # noqa: F401 - a fixture
    verify_identity,
)
from tests.support.concurrently import concurrently

DEMO = "demo@example.com"
PASSWORD = "local-demo-1234"


def login(
    email: str = DEMO, password: str = PASSWORD, ip: str = "203.0.113.7", agent: str = "a browser", **headers: str
) -> Event:
    """The whole response, its body parsed."""
    event = sample("log_in", {"email": email, "password": password})
    event["requestContext"]["identity"]["sourceIp"] = ip
    event["headers"] |= {"User-Agent": agent} | {name.replace("_", "-"): value for name, value in headers.items()}
    response: Event = import_module("functions.auth.handlers.log_in").handler(event, None)
    response["body"] = json.loads(response["body"])
    return response


def outcome(response: Event) -> tuple[int, str]:
    return response["statusCode"], response["body"].get("code", "")


def logins(access_token: str, **query: str) -> Any:
    event = as_user("list_logins", access_token)
    event["queryStringParameters"] = query or None
    return call("list_logins", event)


class CountingHasher(PasswordHasher):
    def __init__(self) -> None:
        super().__init__(cost=4)
        self.compared = 0
        self._counting = Lock()

    def matches(self, password: str, password_hash: str | None) -> bool:
        with self._counting:
            self.compared += 1
        return super().matches(password, password_hash)


class FixedDependencies:
    """Accounts, history and captcha that always return the same."""

    account = Credentials(UserId(UUID(int=7)), Role.USER, PasswordHasher(4).hash(PASSWORD))

    def check(self, token: str, action: str) -> None: ...

    def credentials(self, email: str) -> Credentials | None:
        return self.account if email == DEMO else None

    def of_caller(self, user_id: UserId | None, caller: Caller) -> CallerHistory:
        return CallerHistory(logged_in_before=True, known_network=False, known_agent=False, recent_failures=0)

    def failed(self, *_: object) -> None: ...

    def succeeded(self, *_: object) -> None: ...

    def renew_hash(self, *_: object) -> None: ...


@pytest.mark.parametrize("email", [DEMO, "nobody@example.com"])
def test_of_a_hundred_concurrent_guesses_a_limited_number_is_compared(redis: redis.Client, email: str) -> None:
    hasher, fixed, terms = CountingHasher(), FixedDependencies(), LockoutTerms()
    unused: Any = None
    own_lockout = Lockout(redis, utc_now, new_id)
    login_use_case = Login(fixed, fixed, lookup(), own_lockout, hasher, fixed, unused)
    guess = partial(login_use_case.log_in, email, "wrong-password-1", "human", Caller("203.0.113.7", "a script"))
    outcomes = concurrently([guess] * 100)
    assert {str(outcome) for outcome in outcomes} == {"INVALID_CREDENTIALS", "ACCOUNT_LOCKED"}
    assert all(isinstance(outcome, DomainError) for outcome in outcomes)
    assert 5 <= hasher.compared <= terms.network.wrong - 1 + terms.at_once


@pytest.mark.parametrize("email", [DEMO, "nobody@example.com"])
def test_five_wrong_passwords_lock_even_for_the_correct_one(email: str) -> None:
    for _ in range(5):
        assert outcome(login(email, "wrong-password-1")) == (401, "INVALID_CREDENTIALS")
    for password in ("wrong-password-1", PASSWORD):
        locked = login(email, password)
        assert outcome(locked) == (423, "ACCOUNT_LOCKED")
        assert 0 < int(locked["headers"]["Retry-After"]) <= 60
        assert "details" not in locked["body"]


@pytest.mark.parametrize("spelling", ["DEMO@example.com", "Demo@EXAMPLE.com", " demo@example.com "])
def test_a_lockout_covers_the_address_in_any_letter_case(spelling: str) -> None:
    for _ in range(5):
        login(DEMO, "wrong-password-1")
    assert outcome(login(spelling)) == (423, "ACCOUNT_LOCKED")


def test_headers_do_not_change_the_network_of_a_request() -> None:
    for number in range(5):
        login(password="wrong-password-1", X_Forwarded_For=f"198.51.{number}.1", X_Real_IP=f"198.51.{number}.1")
    assert outcome(login(X_Forwarded_For="192.0.2.1")) == (423, "ACCOUNT_LOCKED")
    assert outcome(login(ip="203.0.113.200")) == (423, "ACCOUNT_LOCKED")  # the same /24
    assert outcome(login(ip="198.51.100.1"))[0] == 200


def test_a_lockout_lasts_as_long_as_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKOUT_SECONDS", "7")
    lockout.cache_clear()
    for _ in range(5):
        login(password="wrong-password-1")
    assert 0 < int(login()["headers"]["Retry-After"]) <= 7


def test_while_redis_is_unavailable_logins_get_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    assert outcome(login()) == (503, "SERVICE_UNAVAILABLE")


def test_a_failed_login_looks_the_same_for_every_kind_of_account() -> None:
    withdrawn = logged_in(email="admin@example.com", password="local-admin-1234")
    withdrawal = as_user("withdraw_account", withdrawn["accessToken"], {"password": "local-admin-1234"})
    assert call("withdraw_account", withdrawal) == (204, None)
    responses = [
        login(DEMO, "wrong-password-1"),
        login("nobody@example.com", "wrong-password-1"),
        login("admin@example.com", "wrong-password-1"),
        login("admin@example.com", "local-admin-1234"),  # withdrawn, with its correct password
    ]
    assert {outcome(response) for response in responses} == {(401, "INVALID_CREDENTIALS")}
    for response in responses:
        assert sorted(response["body"]) == ["code", "message", "timestamp", "traceId"]
        assert response["headers"] == responses[0]["headers"]
        assert response["body"]["message"] == responses[0]["body"]["message"]


def test_the_owner_sees_every_login_and_every_attempt(superuser: Database) -> None:
    login(agent="Firefox")
    login(password="wrong-password-1", ip="2001:db8::1", agent="a script")
    token = logged_in()["accessToken"]
    status, page = logins(token)
    assert (status, page["page"], page["size"], page["total"]) == (200, 0, 20, 3)
    assert [sorted(item) for item in page["items"]] == [
        ["at", "ip", "method", "success", "suspicious", "userAgent"]
    ] * 3
    seen = [(item["ip"], item["userAgent"], item["method"], item["success"]) for item in page["items"]]
    assert seen == [
        ("203.0.113.7", "curl/8.9.1", "PASSWORD", True),
        ("2001:db8::1", "a script", "PASSWORD", False),
        ("203.0.113.7", "Firefox", "PASSWORD", True),
    ]
    assert [item["at"] for item in page["items"]] == sorted((item["at"] for item in page["items"]), reverse=True)
    assert logins(token, page="1", size="2")[1]["items"] == page["items"][2:]
    assert code(logins(token, size="101")) == (400, "VALIDATION_ERROR")
    assert logins(logged_in(email="admin@example.com", password="local-admin-1234")["accessToken"])[1]["total"] == 1


def test_a_login_from_a_new_network_with_a_new_browser_is_suspicious() -> None:
    login()
    login(ip="198.51.100.1")
    login(agent="another browser")
    login(ip="192.0.2.1", agent="a script")
    page = logins(logged_in()["accessToken"])[1]
    assert [item["suspicious"] for item in page["items"]] == [False, True, False, False, False]


def test_a_login_after_many_wrong_passwords_is_suspicious_even_from_a_known_network() -> None:
    login()
    for _ in range(5):
        login(password="wrong-password-1", ip="198.51.100.1")
    token = login()["body"]["accessToken"]
    assert logins(token)[1]["items"][0]["suspicious"] is True


def test_guessing_from_many_networks_does_not_lock_the_owner_out_of_a_known_network() -> None:
    assert login()["statusCode"] == 200
    for number in range(50):
        login(password="wrong-password-1", ip=f"198.18.{number}.1")
    assert outcome(login(ip="198.51.100.1")) == (423, "ACCOUNT_LOCKED")
    assert login()["statusCode"] == 200


def test_an_attempt_without_an_account_is_recorded_without_the_address(superuser: Database) -> None:
    login("Nobody@example.com", "wrong-password-1")
    login("nobody@example.com", "wrong-password-1")
    rows = superuser.rows("SELECT user_id, email_hash, login_history::text AS whole FROM user_service.login_history")
    assert [row["user_id"] for row in rows] == [None, None]
    assert len({row["email_hash"] for row in rows}) == 1
    assert "nobody" not in str(rows).lower()


def test_a_hash_of_another_cost_is_renewed_while_other_logins_succeed(
    superuser: Database, monkeypatch: pytest.MonkeyPatch, database_of: Callable[[str], Database]
) -> None:
    monkeypatch.setenv("BCRYPT_COST", "5")
    password_hasher.cache_clear()

    def stored_hash() -> str:
        (row,) = superuser.rows(
            "SELECT password_hash FROM user_service.users WHERE email_hash = %s", (lookup()("email", DEMO),)
        )
        return str(row["password_hash"])

    assert stored_hash().startswith("$2b$04$")
    login(password="wrong-password-1")
    assert stored_hash().startswith("$2b$04$")
    responses = concurrently([login] * 4)
    assert [response["statusCode"] if isinstance(response, dict) else response for response in responses] == [200] * 4
    assert stored_hash().startswith("$2b$05$")
    assert login()["statusCode"] == 200


ODD_CHARACTERS = [
    ("demo@example.com", "ｌｏｃａｌ－ｄｅｍｏ－１２３４", 200),  # what a full-width keyboard types
    ("demo@example.com", "local-demo-1234\u200b", 401),
    ("demo@example.com", "local-demo-1234\x00", 401),
    ("demo@example.com", "lосаl-demo-1234", 401),  # Cyrillic
    ("demo@example.com", "\u202elocal-demo-1234", 401),
    ("demo@example.com", "local-demo-1234" * 5, 401),
    ("demo@example.com", "가" * 1000, 401),
    ("demo@example.com", "\ufdfa" * 1000, 401),  # 18,000 characters in NFKC
    ("demo@example.com", "가" * 1001, 400),
    ("demo@example.com", "", 400),
    ("Demo@Example.COM", PASSWORD, 200),
    ("\u2003demo@example.com\t", PASSWORD, 200),
    ("demo+x@example.com", PASSWORD, 401),  # another address
    ("de.mo@example.com", PASSWORD, 401),
    ("demo@example.com.", PASSWORD, 400),
    ("dеmo@example.com", PASSWORD, 400),  # a Cyrillic e
    ("ｄｅｍｏ@example.com", PASSWORD, 400),
    ("demo@ехаmple.com", PASSWORD, 400),
    ("demo@example.com\x00", PASSWORD, 400),
    ("demo@example.com\r\nBcc: x@example.com", PASSWORD, 400),
    ("\u202edemo@example.com", PASSWORD, 400),
    ("demo\u200b@example.com", PASSWORD, 400),
    ("Demo <demo@example.com>", PASSWORD, 400),
    ('"demo"@example.com', PASSWORD, 400),
    ("demo@[127.0.0.1]", PASSWORD, 400),
    ("demo@example.com,admin@example.com", PASSWORD, 400),
    ("ﬁ@example.com", PASSWORD, 400),
    ("\u212a@example.com", PASSWORD, 400),  # the Kelvin sign, which folds to k
]


def test_unusual_characters_never_log_in_to_another_account() -> None:
    responses = [login(email, password, ip=f"198.18.{n}.1") for n, (email, password, _) in enumerate(ODD_CHARACTERS)]
    assert [response["statusCode"] for response in responses] == [expected for _, _, expected in ODD_CHARACTERS]


NOT_TEXT = [
    b'{"email": "\\ud800@example.com", "password": "local-demo-1234", "captchaToken": "sandbox-human"}',
    b'{"email": "demo@example.com", "password": "\\ud800local-demo-1234", "captchaToken": "sandbox-human"}',
    b'{"email": "demo@example.com", "password": "local-demo-1234\\udfff", "captchaToken": "sandbox-human"}',
    b'{"email": "demo@example.com", "password": "\xff\xfe", "captchaToken": "sandbox-human"}',
    b'{"email": ["demo@example.com"], "password": "local-demo-1234", "captchaToken": "sandbox-human"}',
    b'{"email": "demo@example.com", "password": {"$ne": ""}, "captchaToken": "sandbox-human"}',
    b'{"email": {"$gt": ""}, "password": {"$gt": ""}, "captchaToken": "sandbox-human"}',
    b'{"email": "demo@example.com", "password": true, "captchaToken": "sandbox-human"}',
    b'{"email": "demo@example.com", "password": null, "captchaToken": "sandbox-human"}',
    b'{"email": "demo@example.com", "password": 123456789012, "captchaToken": "sandbox-human"}',
    b'[{"email": "demo@example.com", "password": "local-demo-1234", "captchaToken": "sandbox-human"}]',
]


def test_a_body_with_fields_that_are_not_text_is_a_validation_error() -> None:
    for body in NOT_TEXT:
        event = sample("log_in") | {"body": b64encode(body).decode(), "isBase64Encoded": True}
        response = import_module("functions.auth.handlers.log_in").handler(event, None)
        assert (response["statusCode"], json.loads(response["body"])["code"]) == (400, "VALIDATION_ERROR"), body


def test_the_last_of_two_equal_fields_counts() -> None:
    body = (
        '{"email": "demo@example.com", "password": "x", "password": "local-demo-1234", "captchaToken": "sandbox-human"}'
    )
    assert (
        import_module("functions.auth.handlers.log_in").handler(sample("log_in") | {"body": body}, None)["statusCode"]
        == 200
    )


FORGED: Event = {
    "id": "019a9f3e-5c00-7000-8000-000000000001",
    "role": "ADMIN",
    "status": "WITHDRAWN",
    "emailVerified": True,
    "email_verified_at": "2020-01-01T00:00:00Z",
    "createdAt": "2020-01-01T00:00:00Z",
    "created_at": "2020-01-01T00:00:00Z",
    "lastLoginAt": "2020-01-01T00:00:00Z",
    "passwordHash": "$2b$04$" + "." * 53,
    "password_hash": "$2b$04$" + "." * 53,
    "ci": "another person",
    "__proto__": {"role": "ADMIN"},
}


def named(response: tuple[int, Any]) -> set[str]:
    """The fields of a rejected body."""
    assert response[0] == 400
    return {fault["field"] for fault in response[1]["details"]}


def test_a_registration_cannot_set_role_or_state(verification_id: str) -> None:  # noqa: F811
    body: dict[str, Any] = {"identityVerificationId": verification_id, "email": "hong@example.com"}
    for field, value in FORGED.items():
        assert named(call("register_account", **body, **{field: value})) == {field}
    registered = call("register_account", **body)[1]
    assert registered["role"] == "USER"
    token = logged_in(email="hong@example.com", password="correct-horse-7")["accessToken"]
    me = call("read_account", as_user("read_account", token))[1]
    assert (me["role"], me["emailVerified"], me["id"]) == ("USER", False, registered["id"])


def test_a_login_and_an_edit_cannot_set_role_or_state() -> None:
    token = logged_in()["accessToken"]
    for field, value in FORGED.items():
        assert named(call("log_in", **{field: value})) == {field}
        assert named(call("edit_account", as_user("edit_account", token, {field: value}))) == {field}
    me = call("read_account", as_user("read_account", token))[1]
    assert (me["role"], me["emailVerified"], me["email"]) == ("USER", False, DEMO)


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("hong@example.com", "HONG@Example.com", True),
        ("hong@example.com", "hong+tickets@example.com", False),
        ("hong@example.com", "ho.ng@example.com", False),
    ],
)
def test_only_letter_case_is_ignored_in_an_email_address(
    first: str, second: str, taken: bool, sandbox_url: str
) -> None:
    assert call("register_account", identityVerificationId=verify_identity(sandbox_url, "a"), email=first)[0] == 201
    again = call("register_account", identityVerificationId=verify_identity(sandbox_url, "b"), email=second)
    assert again[0] == (409 if taken else 201)
