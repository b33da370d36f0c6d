"""The forgeries of `tests/unit/test_auth_token_attacks.py` over HTTP: each is rejected with the right error and
causes no failure; nor do unusual e-mail addresses and passwords."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.clients.forged_tokens import forgeries, mirrored, not_ascii, too_long
from tools.demo.buyer import Api, ApiError, Buyer

pytestmark = pytest.mark.e2e

GetMe = Callable[[str], httpx.Response]


@pytest.fixture
def token(new_buyer: Callable[[], Buyer]) -> str:
    return new_buyer().api.client.headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def keys(public: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = public("GET", "/.well-known/jwks.json")["keys"]
    return found


@pytest.fixture
def get_me(public: Api) -> GetMe:
    """The result of `GET /users/me`, which every logged-in user may call, with this token."""

    def get_me(token: str) -> httpx.Response:
        return public.client.get("/users/me", headers=bearer(token))

    return get_me


def bearer(token: str) -> dict[bytes, bytes]:
    return {b"Authorization": f"Bearer {token}".strip(" ").encode()}


def test_every_forged_token_is_rejected_with_its_reason(get_me: GetMe, token: str, keys: list[dict[str, Any]]) -> None:
    assert get_me(token).status_code == 200
    wrong = {}
    for name, forged in [*forgeries(token, keys), *not_ascii(token)]:
        answer = get_me(forged)
        expected = "TOKEN_INVALID" if forged.strip() else "TOKEN_MISSING"
        if answer.status_code != 401 or answer.json()["code"] != expected:
            wrong[name] = (answer.status_code, answer.text)
    assert wrong == {}
    assert get_me(token).status_code == 200


def test_a_token_too_long_for_a_header_is_rejected(get_me: GetMe, token: str) -> None:
    for name, forged in too_long(token):
        assert 400 <= get_me(forged).status_code < 500, name
    assert get_me(token).status_code == 200


def test_a_forged_role_gives_no_admin_access(public: Api, token: str, keys: list[dict[str, Any]]) -> None:
    venue = {"name": "a", "address": "b", "city": "c"}
    for name, forged in list(forgeries(token, keys))[:60]:
        answer = public.client.post("/venues", json=venue, headers=bearer(forged))
        assert answer.status_code == 401, name


def test_a_mirrored_signature_is_revoked_with_its_original(get_me: GetMe, new_buyer: Callable[[], Buyer]) -> None:
    buyer = new_buyer()
    token = buyer.api.client.headers["Authorization"].removeprefix("Bearer ")
    assert get_me(mirrored(token)).json()["email"] == buyer.email
    buyer.api("POST", "/auth/logout")
    assert get_me(mirrored(token)).json()["code"] == "TOKEN_REVOKED"


def test_five_wrong_passwords_lock_an_address_whatever_the_headers_say(public: Api, new_buyer: Any) -> None:
    buyer = new_buyer()
    for email in (buyer.email, f"no-{buyer.email}"):
        answers = [
            public.client.post(
                "/auth/login",
                json={"email": email, "password": f"wrong-password-{number}", "captchaToken": "sandbox-human"},
                headers={"X-Forwarded-For": f"198.51.{number}.1"},
            )
            for number in range(6)
        ]
        assert [answer.status_code for answer in answers] == [401] * 5 + [423]
        assert {answer.json()["code"] for answer in answers[:5]} == {"INVALID_CREDENTIALS"}
        assert answers[5].json()["code"] == "ACCOUNT_LOCKED"
        assert 0 < int(answers[5].headers["retry-after"]) <= 60


def test_the_owner_sees_logins_and_failed_attempts(public: Api, new_buyer: Callable[[], Buyer]) -> None:
    buyer = new_buyer()
    wrong = {"email": buyer.email, "password": "wrong-password-1", "captchaToken": "sandbox-human"}
    public.client.post("/auth/login", json=wrong, headers={"User-Agent": "a script"})
    page = buyer.api("GET", "/users/me/logins")
    assert (page["total"], page["page"], page["size"]) == (2, 0, 20)
    tried, logged_in = page["items"]
    assert (tried["success"], tried["userAgent"], tried["method"]) == (False, "a script", "PASSWORD")
    assert (logged_in["success"], logged_in["suspicious"]) == (True, False)
    assert buyer.api("GET", "/users/me/logins?page=1&size=1")["items"] == [logged_in]


def test_a_registration_cannot_make_an_admin(stack: dict[str, Any]) -> None:
    buyer = Buyer(stack["api"], stack["sandbox"])
    forged = {"role": "ADMIN", "id": "019a9f3e-5c00-7000-8000-000000000001", "emailVerified": True}
    with pytest.raises(ApiError) as error:
        buyer.register(**forged)
    assert sorted(fault["field"] for fault in error.value.body["details"]) == sorted(forged)
    assert buyer.register()["role"] == "USER"
    buyer.login()
    with pytest.raises(ApiError) as error:
        buyer.api("PUT", "/users/me", {"name": "하늘", **forged})
    assert error.value.code == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    "password", ["비밀번호-123456", "cafe\u0301-seoul-1", "\u202epassword-12", "pass\u200bword-12"]
)
def test_a_password_in_any_script_can_log_in(stack: dict[str, Any], password: str) -> None:
    buyer = Buyer(stack["api"], stack["sandbox"])
    buyer.password = password
    buyer.register()
    buyer.login()
    assert buyer.api("GET", "/users/me")["email"] == buyer.email
