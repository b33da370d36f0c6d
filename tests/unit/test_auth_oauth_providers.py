"""Requests to Kakao, Naver and Google, their responses and their failures (AUTH-007)."""

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from common.domain.shared_errors import DomainError, ServiceUnavailable
from common.protection.circuit_breaker import CircuitOpen
from functions.auth.adapters.clients.oauth_providers import ClientCredentials, OAuthProviders
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import OAuthAttempt, Provider, SocialProfile
from functions.auth.wiring.oauth_flow import OAuthSettings, provider_configs

Respond = Callable[[httpx.Request], httpx.Response]
KAKAO, NAVER, GOOGLE = Provider
SETTINGS = OAuthSettings(
    allowed_origins="",
    kakao_auth_url="https://kauth.example",
    kakao_api_url="https://kapi.example",
    naver_auth_url="https://nid.example",
    naver_api_url="https://openapi.example",
    google_url="https://accounts.example",
)
DISCOVERY = {
    "issuer": "https://accounts.example",
    "authorization_endpoint": "https://accounts.example/auth",
    "token_endpoint": "https://oauth2.example/token",
    "userinfo_endpoint": "https://oidc.example/userinfo",
    "jwks_uri": "https://www.example/certs",
}
VERIFIER = "the-verifier-of-this-flow"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
TOKEN = {"access_token": "their-token", "token_type": "bearer", "expires_in": "3600"}
PROFILES: dict[Provider, Any] = {
    KAKAO: {
        "id": 98765432198765,
        "kakao_account": {
            "email": "hong@example.com",
            "is_email_valid": True,
            "is_email_verified": True,
            "profile": {"nickname": "길동"},
        },
    },
    NAVER: {
        "resultcode": "00",
        "message": "success",
        "response": {"id": "naver-person", "email": "hong@example.com", "name": "홍길동"},
    },
    GOOGLE: {"sub": "21", "email": "hong@example.com", "email_verified": True, "name": "홍길동"},
}
every_provider = pytest.mark.parametrize("provider", list(Provider))


def answer(status: int, **more: Any) -> Respond:
    return lambda _: httpx.Response(status, **more)


def timed_out(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("no answer", request=request)


def connection_refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


class FakeProviders:
    """All providers in one, with the requests in order."""

    def __init__(self, token: Respond | None = None, profile: Respond | None = None, discovery: Any = DISCOVERY):
        self.calls: list[httpx.Request] = []
        self.token, self.profile, self.discovery = token, profile, discovery
        self.circuit = nullcontext

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(200, json=self.discovery)
        if request.method == "POST":
            return self.token(request) if self.token else httpx.Response(200, json=TOKEN)
        if self.profile:
            return self.profile(request)
        provider = {"kapi.example": KAKAO, "openapi.example": NAVER, "oidc.example": GOOGLE}[request.url.host]
        return httpx.Response(200, json=PROFILES[provider])

    @property
    def providers(self) -> OAuthProviders:
        client = httpx.Client(transport=httpx.MockTransport(self))
        registered = lambda provider: ClientCredentials(f"{provider}-client", f"{provider}-secret")  # noqa: E731
        return OAuthProviders(client, provider_configs(SETTINGS, client), registered, lambda _: self.circuit)

    def profile_of(self, provider: Provider) -> SocialProfile:
        return self.providers.profile(flow(provider), "the-state", "the-code")

    def error_of(self, provider: Provider) -> type[DomainError]:
        with pytest.raises(DomainError) as error:
            self.profile_of(provider)
        return type(error.value)


def flow(provider: Provider) -> OAuthAttempt:
    return OAuthAttempt(provider, "https://shop.example/oauth/callback?a=b", VERIFIER)


def form(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


@pytest.mark.parametrize(
    ("provider", "address", "more"),
    [
        (
            KAKAO,
            "https://kauth.example/oauth/authorize",
            {"code_challenge": CHALLENGE, "code_challenge_method": "S256"},
        ),
        (NAVER, "https://nid.example/oauth2.0/authorize", {}),
        (
            GOOGLE,
            "https://accounts.example/auth",
            {"code_challenge": CHALLENGE, "code_challenge_method": "S256", "scope": "openid email profile"},
        ),
    ],
)
def test_a_browser_is_sent_with_state_and_challenge_and_without_a_secret(
    provider: Provider, address: str, more: dict[str, str]
) -> None:
    url = FakeProviders().providers.authorization_url(flow(provider), "the-state")
    base, query = url.split("?", 1)
    assert base == address
    assert {name: values[0] for name, values in parse_qs(query).items()} == {
        "response_type": "code",
        "client_id": f"{provider}-client",
        "redirect_uri": "https://shop.example/oauth/callback?a=b",
        "state": "the-state",
        **more,
    }
    assert VERIFIER not in url


@every_provider
def test_a_code_is_exchanged_with_our_secret_and_the_flows_verifier(provider: Provider) -> None:
    fake = FakeProviders()
    fake.profile_of(provider)
    (exchange,) = [request for request in fake.calls if request.method == "POST"]
    more = {"state": "the-state"} if provider is NAVER else {"code_verifier": VERIFIER}
    assert form(exchange) == {
        "grant_type": "authorization_code",
        "client_id": f"{provider}-client",
        "client_secret": f"{provider}-secret",
        "redirect_uri": "https://shop.example/oauth/callback?a=b",
        "code": "the-code",
        **more,
    }
    assert "Authorization" not in exchange.headers
    assert fake.calls[-1].headers["Authorization"] == "Bearer their-token"
    assert "secret" not in str(fake.calls[-1].url)


@pytest.mark.parametrize(
    ("provider", "profile"),
    [
        (KAKAO, SocialProfile("98765432198765", "hong@example.com", "길동")),
        (NAVER, SocialProfile("naver-person", "hong@example.com", "홍길동")),
        (GOOGLE, SocialProfile("21", "hong@example.com", "홍길동")),
    ],
)
def test_a_person_is_identified_by_the_providers_own_id(provider: Provider, profile: SocialProfile) -> None:
    assert FakeProviders().profile_of(provider) == profile


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        (KAKAO, {"id": 1}),
        (KAKAO, {"id": 1, "kakao_account": {}}),
        (KAKAO, {"id": 1, "kakao_account": None}),
        (KAKAO, {"id": 1, "kakao_account": {"profile": None, "has_email": False}}),
        (NAVER, {"resultcode": "00", "response": {"id": "1"}}),
        (GOOGLE, {"sub": "1"}),
    ],
)
def test_a_profile_may_contain_only_the_id(provider: Provider, body: Any) -> None:
    assert FakeProviders(profile=answer(200, json=body)).profile_of(provider) == SocialProfile("1", None, None)


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        (KAKAO, {"id": 1, "kakao_account": {"email": "v@example.com"}}),
        (KAKAO, {"id": 1, "kakao_account": {"email": "v@example.com", "is_email_verified": True}}),
        (KAKAO, {"id": 1, "kakao_account": {"email": "v@example.com", "is_email_valid": True}}),
        (GOOGLE, {"sub": "1", "email": "v@example.com"}),
        (GOOGLE, {"sub": "1", "email": "v@example.com", "email_verified": False}),
    ],
)
def test_an_address_that_the_provider_did_not_verify_is_left_out(provider: Provider, body: Any) -> None:
    assert FakeProviders(profile=answer(200, json=body)).profile_of(provider).email is None


REJECTIONS = [
    answer(
        400, json={"error": "invalid_grant", "error_description": "authorization code not found", "error_code": "X"}
    ),
    answer(200, json={"error": "invalid_request", "error_description": "no valid data in session"}),
    answer(400, json={"error": "invalid_grant", "error_description": '잘못된 코드입니다. "따옴표"'}),
    answer(401, json={}),
]


@every_provider
@pytest.mark.parametrize("token", REJECTIONS)
def test_a_code_that_the_provider_rejects_fails(provider: Provider, token: Respond) -> None:
    fake = FakeProviders(token)
    assert fake.error_of(provider) is OAuthFailed
    assert fake.calls[-1].method == "POST"  # and no profile was read


@every_provider
def test_a_profile_that_the_provider_does_not_return_fails(provider: Provider) -> None:
    assert FakeProviders(profile=answer(403, json={"code": -402})).error_of(provider) is OAuthFailed


GARBAGE: list[Respond] = [
    timed_out,
    connection_refused,
    answer(500, json={"error": "invalid_grant"}),
    answer(503, html="<title>busy</title>"),
    answer(200, html="<title>hello</title>"),
    answer(200, content=b"\xff\xfe\x00"),
    answer(200, content=b"[" * 100_000),
    answer(200, json=[]),
    answer(200, json=None),
    answer(200, content=b""),
    answer(302, headers={"Location": "https://elsewhere.example"}),
]


@every_provider
@pytest.mark.parametrize(
    "token",
    [
        *GARBAGE,
        answer(429, html="<title>slow down</title>"),
        answer(200, json={"access_token": 7}),
        answer(200, json={"access_token": ""}),
        answer(200, json={"access_token": "한글"}),
        answer(200, json={"access_token": "a\r\nX-Injected: b"}),
        answer(401, json={"error": "invalid_client"}),
        answer(400, json={"error": "redirect_uri_mismatch"}),
        answer(400, json={"error": "temporarily_unavailable"}),
    ],
)
def test_a_provider_that_returns_no_token_is_unavailable(provider: Provider, token: Respond) -> None:
    assert FakeProviders(token).error_of(provider) is ServiceUnavailable


@every_provider
@pytest.mark.parametrize(
    "profile",
    [
        *GARBAGE,
        answer(200, json={}),
        answer(200, json={"id": None, "sub": None, "response": None}),
        answer(200, json={"id": "", "sub": "", "resultcode": "00", "response": {"id": ""}}),
        answer(200, json={"id": -1, "sub": 1, "resultcode": "00", "response": {"id": 1}}),
        answer(200, json={"id": True, "sub": True, "resultcode": "024", "response": {"id": "1"}}),
        answer(200, json={"id": 1.5, "sub": ["1"], "resultcode": "00", "response": {"id": ["1"]}}),
    ],
)
def test_a_provider_that_returns_no_profile_is_unavailable(provider: Provider, profile: Respond) -> None:
    assert FakeProviders(profile=profile).error_of(provider) is ServiceUnavailable


def test_a_token_lifetime_that_is_not_a_number_is_ignored() -> None:
    token = answer(200, json={**TOKEN, "expires_in": {"a": [1]}, "expires_at": "never"})
    assert FakeProviders(token).profile_of(KAKAO).subject == "98765432198765"


@pytest.mark.parametrize(
    "document",
    [
        {**DISCOVERY, "issuer": "https://evil.example"},
        {**DISCOVERY, "token_endpoint": None},
        {**DISCOVERY, "token_endpoint": "not an address"},
        {},
        [],
    ],
)
def test_a_discovery_document_of_another_issuer_is_rejected(document: Any) -> None:
    fake = FakeProviders(discovery=document)
    assert fake.error_of(GOOGLE) is ServiceUnavailable
    assert "google-secret" not in "".join(request.content.decode() for request in fake.calls)


def test_google_is_discovered_once_and_again_after_a_failure() -> None:
    fake = FakeProviders(discovery={})
    providers = fake.providers
    with pytest.raises(DomainError):
        providers.authorization_url(flow(GOOGLE), "s")
    fake.discovery = DISCOVERY
    for _ in range(3):
        providers.authorization_url(flow(GOOGLE), "s")
        providers.profile(flow(GOOGLE), "s", "code")
    assert len([request for request in fake.calls if "well-known" in request.url.path]) == 2


def test_other_providers_need_no_discovery() -> None:
    fake = FakeProviders()
    providers = fake.providers
    for provider in (KAKAO, NAVER):
        providers.authorization_url(flow(provider), "s")
    assert fake.calls == []


@every_provider
def test_a_provider_is_not_called_while_its_circuit_is_open(provider: Provider) -> None:
    @contextmanager
    def open_circuit() -> Iterator[None]:
        raise CircuitOpen("oauth", 42)
        yield

    fake = FakeProviders()
    fake.circuit = open_circuit  # type: ignore[assignment]
    with pytest.raises(DomainError) as error:
        fake.profile_of(provider)
    assert (type(error.value), error.value.retry_after) == (ServiceUnavailable, 42)
    assert fake.calls == []


@every_provider
def test_no_personal_data_and_no_secret_is_logged(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = (
        VERIFIER,
        "the-code",
        "the-state",
        "their-token",
        "-secret",
        "hong@example.com",
        "길동",
        "98765432198765",
        "naver-person",
    )
    for fake in (
        FakeProviders(),
        FakeProviders(timed_out),
        *map(FakeProviders, REJECTIONS),
        FakeProviders(profile=answer(500)),
    ):
        with suppress(DomainError):
            fake.profile_of(provider)
    logged = " ".join(
        json.dumps({**vars(record), "message": record.getMessage()}, default=str)
        for record in caplog.records
        if not record.name.startswith("httpx")
    )
    assert logged
    assert [secret for secret in secrets if secret in logged] == []
    assert all("their-token" not in record.getMessage() for record in caplog.records)


def test_no_url_that_is_called_has_a_query(caplog: pytest.LogCaptureFixture) -> None:
    """httpx logs URLs at INFO: none may contain a secret."""
    fake = FakeProviders()
    for provider in Provider:
        fake.profile_of(provider)
    assert all(urlsplit(str(request.url)).query == "" for request in fake.calls)
