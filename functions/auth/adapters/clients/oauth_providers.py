"""Kakao, Naver and Google over HTTP: where a browser is sent, and whom a code stands for (AUTH-007).

Kakao: https://developers.kakao.com/docs/latest/en/kakaologin/rest-api
Naver: https://developers.naver.com/docs/login/api/api.md
Google: https://developers.google.com/identity/openid-connect/reference

Each is asked for the person over TLS, with a token that came straight from it: an ID token would say nothing more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import httpx

# Its protocol client without its HTTP client, which costs a cold start a quarter of a second.
from authlib.oauth2.client import OAuth2Client
from pydantic import BaseModel, Field

from common.domain.shared_errors import DomainError, ServiceUnavailable
from common.protection.circuit_breaker import CircuitOpen, Guard
from common.runtime.log import log
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import Profile, Provider
from functions.auth.usecases.oauth_flow import Flow

TIMEOUT_SECONDS = 3.0
AWAY = (httpx.HTTPError, httpx.InvalidURL, ValueError)  # no answer, or none of theirs: pydantic raises ValueErrors

# Refusals that are not the code's fault: ours, and theirs.
NOT_THE_CODES = {
    *("invalid_client", "unauthorized_client", "redirect_uri_mismatch", "invalid_scope"),
    *("server_error", "temporarily_unavailable"),
}

AnyT = TypeVar("AnyT")
Subject = Annotated[str, Field(min_length=1, max_length=255)]
Address = Annotated[str, Field(pattern="^https?://")]


@dataclass(frozen=True)
class Registered:
    """What we are to a provider."""

    client_id: str
    client_secret: str


@dataclass(frozen=True)
class Endpoints:
    authorization: str
    token: str
    profile: str


@dataclass(frozen=True)
class Dialect:
    """How one provider differs from the others. `read` raises ValueError for what is no profile."""

    endpoints: Callable[[], Endpoints]
    read: Callable[[bytes], Profile]
    scope: str | None = None
    pkce: bool = True
    repeats_state: bool = False  # in the token request


class OAuthProviders:
    def __init__(
        self,
        client: httpx.Client,
        dialects: Mapping[Provider, Dialect],
        registered: Callable[[Provider], Registered],
        guard: Callable[[Provider], Guard],
    ) -> None:
        self._client = client
        self._dialects = dialects
        self._registered = registered
        self._guard = guard

    def authorization_url(self, flow: Flow, state: str) -> str:
        """Raises ServiceUnavailable while Google, whose address is found by discovery, is away."""
        dialect = self._dialects[flow.provider]
        endpoint = self._asked(flow.provider, dialect.endpoints).authorization
        url, _ = self._protocol(flow).create_authorization_url(endpoint, state=state, code_verifier=flow.verifier)
        return str(url)

    def profile(self, flow: Flow, state: str, code: str) -> Profile:
        """Raises OAuthFailed for a code the provider does not know (any more), or that is of another flow;
        ServiceUnavailable when it gives no answer, or does not know us."""
        return self._asked(flow.provider, lambda: self._profile(flow, state, code))

    def _profile(self, flow: Flow, state: str, code: str) -> Profile:
        dialect, ours = self._dialects[flow.provider], self._registered(flow.provider)
        endpoints = dialect.endpoints()
        more = {"code_verifier": flow.verifier} if dialect.pkce else {}
        answer: _TokenAnswer = self._protocol(flow).fetch_token(
            endpoints.token,
            body=str(httpx.QueryParams({"state": state} if dialect.repeats_state else {})),
            auth=httpx.Auth(),  # none but the form's, which all three take (client_secret_post)
            client_id=ours.client_id,
            client_secret=ours.client_secret,
            code=code,
            **more,
        )
        if answer.access_token is None:
            raise _refused(flow.provider, answer.error or "no error")
        bearer = {"Authorization": f"Bearer {answer.access_token}"}
        response = self._client.get(endpoints.profile, headers=bearer)
        if response.is_client_error:  # the person is too young, agreed to nothing …: asking again does not help
            raise _refused(flow.provider, f"profile {response.status_code}")
        return dialect.read(response.raise_for_status().content)

    def _protocol(self, flow: Flow) -> OAuth2Client:
        dialect = self._dialects[flow.provider]
        return _ProtocolClient(
            self._client,
            client_id=self._registered(flow.provider).client_id,
            redirect_uri=flow.redirect_uri,
            scope=dialect.scope,
            code_challenge_method="S256" if dialect.pkce else None,
        )

    def _asked(self, provider: Provider, question: Callable[[], AnyT]) -> AnyT:
        try:
            with self._guard(provider)():
                return question()
        except CircuitOpen as unavailable:
            raise ServiceUnavailable(retry_after=unavailable.retry_after) from None
        except AWAY as error:
            log.warning("no answer from a provider", extra={"provider": provider, "error": type(error).__name__})
            raise ServiceUnavailable(retry_after=1) from None


def _refused(provider: Provider, error: str) -> DomainError:
    if error in NOT_THE_CODES:
        log.error("a provider refuses us", extra={"provider": provider, "error": error})
        return ServiceUnavailable(retry_after=1)
    log.warning("a provider refuses a code", extra={"provider": provider, "error": error[:40]})
    return OAuthFailed()


class _TokenAnswer(BaseModel):
    """RFC 6749, 5.1 and 5.2; Naver refuses with a 200."""

    access_token: Annotated[str, Field(max_length=8192, pattern=r"^[\x21-\x7e]+$")] | None = None  # it goes in a header
    error: str | None = None


class _ProtocolClient(OAuth2Client):  # type: ignore[misc]  # Authlib has no types
    def parse_response_token(self, resp: httpx.Response) -> _TokenAnswer:
        """Authlib's own stumbles over lifetimes that are no numbers and descriptions that are not ASCII."""
        if resp.is_server_error:
            resp.raise_for_status()
        return _TokenAnswer.model_validate_json(resp.content)


class GoogleDiscovery:
    """Google's endpoints, asked for once a container (OpenID Connect Discovery 1.0)."""

    def __init__(self, client: httpx.Client, issuer: str) -> None:
        self._client = client
        self._issuer = issuer.rstrip("/")
        self._found: Endpoints | None = None

    def __call__(self) -> Endpoints:
        if self._found is None:
            answer = self._client.get(f"{self._issuer}/.well-known/openid-configuration").raise_for_status()
            document = _Discovery.model_validate_json(answer.content)
            if document.issuer != self._issuer:
                raise ValueError("another's discovery document")
            self._found = Endpoints(
                document.authorization_endpoint, document.token_endpoint, document.userinfo_endpoint
            )
        return self._found


class _Discovery(BaseModel):
    issuer: str
    authorization_endpoint: Address
    token_endpoint: Address
    userinfo_endpoint: Address


class _KakaoNames(BaseModel):
    nickname: str | None = None


class _KakaoAccount(BaseModel):
    email: str | None = None
    is_email_valid: bool = False  # False once another member took the address
    is_email_verified: bool = False
    profile: _KakaoNames | None = None


class _KakaoMember(BaseModel):
    id: Annotated[int, Field(strict=True, gt=0)]
    kakao_account: _KakaoAccount | None = None


class _NaverMember(BaseModel):
    id: Subject
    email: str | None = None
    name: str | None = None


class _NaverAnswer(BaseModel):
    resultcode: Literal["00"]
    response: _NaverMember


class _GooglePerson(BaseModel):
    sub: Subject
    email: str | None = None
    email_verified: bool = False
    name: str | None = None


def read_kakao(content: bytes) -> Profile:
    """`GET /v2/user/me`."""
    member = _KakaoMember.model_validate_json(content)
    account = member.kakao_account or _KakaoAccount()
    proved = account.is_email_valid and account.is_email_verified
    return Profile(
        str(member.id), account.email if proved else None, account.profile.nickname if account.profile else None
    )


def read_naver(content: bytes) -> Profile:
    """`GET /v1/nid/me`. Naver does not say whether the address was proved."""
    member = _NaverAnswer.model_validate_json(content).response
    return Profile(member.id, member.email, member.name)


def read_google(content: bytes) -> Profile:
    """Userinfo. `sub` alone never changes; an address may, and may become another's."""
    person = _GooglePerson.model_validate_json(content)
    return Profile(person.sub, person.email if person.email_verified else None, person.name)
