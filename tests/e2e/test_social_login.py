"""Logging in at Kakao, Naver and Google over HTTP, and its failures (AUTH-007)."""

from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from tools.demo.buyer import Api, ApiError, Buyer

pytestmark = pytest.mark.e2e

NewBuyer = Callable[[], Buyer]
PROVIDERS = ("kakao", "naver", "google")
every_provider = pytest.mark.parametrize("provider", PROVIDERS)
members = count(uuid4().int % 10**15)


@pytest.fixture
def sandbox(stack: dict[str, Any]) -> Api:
    return Api(stack["sandbox"])


def consent(public: Api, provider: str, **query: str) -> dict[str, str]:
    """What the browser posts to the callback after the person consented."""
    begun = public("GET", f"/auth/oauth/{provider}", params=query)
    answer = httpx.get(begun["authorizationUrl"], timeout=30)
    assert answer.status_code == 302
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["state"] == [begun["state"]]
    return {"code": back["code"][0], "state": begun["state"]}


def call_back(public: Api, provider: str, body: dict[str, str]) -> tuple[int, Any]:
    answer = public.client.post(f"/auth/oauth/{provider}/callback", json=body)
    return answer.status_code, answer.json()


def offered(public: Api, sandbox: Api, provider: str, member: str, **person: object) -> dict[str, Any]:
    """The response for a person without a linked account."""
    sandbox("POST", f"/sandbox/oauth/{provider}/person", {"id": member, **person})
    status, offer = call_back(public, provider, consent(public, provider))
    assert status == 202
    assert sorted(offer) == ["email", "linkToken", "name"]
    found: dict[str, Any] = offer
    return found


def logged_in(stack: dict[str, Any], public: Api, sandbox: Api, provider: str, member: str) -> Api:
    sandbox("POST", f"/sandbox/oauth/{provider}/person", {"id": member})
    status, pair = call_back(public, provider, consent(public, provider))
    assert status == 200
    assert sorted(pair) == ["accessToken", "expiresIn", "refreshToken", "tokenType"]
    assert public("POST", "/auth/refresh", {"refreshToken": pair["refreshToken"]})["tokenType"] == "Bearer"
    return Api(stack["api"], pair["accessToken"])


def rejection(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        call()
    return error.value.status, error.value.code


@every_provider
def test_a_linked_social_identity_logs_in_to_the_account(
    stack: dict[str, Any], public: Api, sandbox: Api, new_buyer: NewBuyer, provider: str
) -> None:
    buyer, member = new_buyer(), str(next(members))
    offer = offered(public, sandbox, provider, member, email="hong@example.com", name="홍길동")
    assert (offer["email"], offer["name"]) == ("hong@example.com", "홍길동")
    assert buyer.api("POST", "/users/me/oauth", {"linkToken": offer["linkToken"]}) is None

    api = logged_in(stack, public, sandbox, provider, member)
    assert api("GET", "/users/me")["email"] == buyer.email
    assert api("GET", "/users/me/logins")["items"][0]["method"] == provider.upper()


def test_a_registration_can_bring_a_link_token(stack: dict[str, Any], public: Api, sandbox: Api) -> None:
    member = str(next(members))
    buyer = Buyer(stack["api"], stack["sandbox"])
    buyer.register(linkToken=offered(public, sandbox, "kakao", member)["linkToken"])
    assert logged_in(stack, public, sandbox, "kakao", member)("GET", "/users/me")["email"] == buyer.email


def test_a_registration_with_an_invalid_link_token_leaves_nothing(stack: dict[str, Any], public: Api) -> None:
    buyer = Buyer(stack["api"], stack["sandbox"])
    assert rejection(lambda: buyer.register(linkToken="unknown")) == (401, "OAUTH_FAILED")
    assert rejection(buyer.login) == (401, "INVALID_CREDENTIALS")
    buyer.register()
    buyer.login()


def test_a_linked_person_cannot_be_linked_with_another_account(
    stack: dict[str, Any], public: Api, sandbox: Api, new_buyer: NewBuyer
) -> None:
    member = str(next(members))
    first, second = (offered(public, sandbox, "naver", member)["linkToken"] for _ in range(2))
    new_buyer().api("POST", "/users/me/oauth", {"linkToken": first})
    other = new_buyer().api
    assert rejection(lambda: other("POST", "/users/me/oauth", {"linkToken": second})) == (409, "ALREADY_LINKED")
    assert rejection(lambda: other("POST", "/users/me/oauth", {"linkToken": first})) == (401, "OAUTH_FAILED")
    newcomer = Buyer(stack["api"], stack["sandbox"])
    assert rejection(lambda: newcomer.register(linkToken=second)) == (409, "ALREADY_LINKED")
    assert rejection(newcomer.login) == (401, "INVALID_CREDENTIALS")


@every_provider
def test_an_address_at_a_provider_logs_in_to_no_account(
    public: Api, sandbox: Api, new_buyer: NewBuyer, provider: str
) -> None:
    victim = new_buyer()
    offer = offered(public, sandbox, provider, str(next(members)), email=victim.email)
    assert offer["email"] == victim.email
    unproved = offered(public, sandbox, provider, str(next(members)), email=victim.email, emailVerified=False)
    assert unproved["email"] == (victim.email if provider == "naver" else None)  # Naver does not report it


@every_provider
def test_state_and_code_work_once_and_together(public: Api, provider: str) -> None:
    mine, another = consent(public, provider), consent(public, provider)
    mixed = {"state": mine["state"], "code": another["code"]}
    failed = (401, "OAUTH_FAILED")
    for body in (mixed, mine, {**mine, "state": "unknown"}, {**mine, "code": "unknown"}):
        status, answer = call_back(public, provider, body)
        assert (status, answer["code"]) == failed
    fresh = consent(public, provider)
    assert call_back(public, provider, fresh)[0] == 202
    status, answer = call_back(public, provider, fresh)
    assert (status, answer["code"]) == failed


def test_a_state_of_one_provider_is_rejected_at_another(public: Api) -> None:
    status, answer = call_back(public, "google", consent(public, "kakao"))
    assert (status, answer["code"]) == (401, "OAUTH_FAILED")


@pytest.mark.parametrize(
    "body", [{}, {"code": "x"}, {"state": "x"}, {"code": "", "state": ""}, {"code": 1, "state": []}]
)
def test_a_callback_without_code_or_state_is_invalid(public: Api, body: dict[str, Any]) -> None:
    status, answer = call_back(public, "kakao", body)
    assert (status, answer["code"]) == (400, "VALIDATION_ERROR")


def test_an_unknown_provider_is_not_found(public: Api) -> None:
    assert rejection(lambda: public("GET", "/auth/oauth/facebook")) == (404, "NOT_FOUND")
    status, answer = call_back(public, "facebook", {"code": "x", "state": "y"})
    assert (status, answer["code"]) == (404, "NOT_FOUND")


def test_the_browser_returns_to_the_front_end_only(public: Api) -> None:
    def asked(**query: str) -> str:
        url = public("GET", "/auth/oauth/kakao", params=query)["authorizationUrl"]
        return str(parse_qs(urlsplit(url).query)["redirect_uri"][0])

    assert asked() == "http://localhost:5173/oauth/callback"
    assert asked(redirectUri="http://localhost:5173/welcome?to=1") == "http://localhost:5173/welcome?to=1"
    for hostile in ("https://evil.example/", "http://localhost:5173@evil.example/", "http://localhost:51730/", ""):
        answer = public.client.get("/auth/oauth/kakao", params={"redirectUri": hostile})
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR"), hostile
        assert answer.json()["details"][0]["field"] == "redirectUri"


def test_no_provider_logs_in_to_a_withdrawn_account(
    stack: dict[str, Any], public: Api, sandbox: Api, new_buyer: NewBuyer
) -> None:
    buyer, member = new_buyer(), str(next(members))
    buyer.api("POST", "/users/me/oauth", {"linkToken": offered(public, sandbox, "google", member)["linkToken"]})
    buyer.api.client.request("DELETE", "/users/me", json={"password": buyer.password}).raise_for_status()
    sandbox("POST", "/sandbox/oauth/google/person", {"id": member})
    status, answer = call_back(public, "google", consent(public, "google"))
    assert (status, answer["code"]) == (401, "OAUTH_FAILED")


@pytest.fixture
def faults(sandbox: Api) -> Any:
    yield lambda mode: sandbox("PUT", "/sandbox/faults", {"mode": mode})
    sandbox("PUT", "/sandbox/faults", {"mode": "none"})


def test_while_a_provider_is_unavailable_logins_get_503_and_never_500(public: Api, faults: Any) -> None:
    body = consent(public, "naver")
    faults("error")
    status, answer = call_back(public, "naver", body)
    assert (status, answer["code"]) == (503, "SERVICE_UNAVAILABLE")
    faults("none")
    status, answer = call_back(public, "naver", body)
    assert (status, answer["code"]) == (401, "OAUTH_FAILED")  # the login has to start again
    assert call_back(public, "naver", consent(public, "naver"))[0] == 202
