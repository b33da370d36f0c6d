"""Kakao, Naver and Google over HTTP: where a browser is sent, and the person that a code stands for (AUTH-007).

Kakao: https://developers.kakao.com/docs/latest/en/kakaologin/rest-api
Naver: https://developers.naver.com/docs/login/api/api.md
Google: https://developers.google.com/identity/openid-connect/reference

The person is read over TLS with a token that came directly from the provider: an ID token would add nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import httpx

# Its protocol client without its HTTP client, which adds a quarter of a second to a cold start.
from authlib.oauth2.client import OAuth2Client
from pydantic import BaseModel, Field

from common.domain.shared_errors import DomainError, ServiceUnavailable
from common.protection.circuit_breaker import Attempt, CircuitOpen
from common.runtime.log import log
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import OAuthAttempt, Provider, SocialProfile

TIMEOUT_SECONDS = 3.0
# No answer, or one that does not parse: pydantic raises ValueErrors.
PROVIDER_FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError)

# Errors of the token request that the code did not cause: our configuration, and the provider's own.
NOT_CAUSED_BY_CODE = {
    *("invalid_client", "unauthorized_client", "redirect_uri_mismatch", "invalid_scope"),
    *("server_error", "temporarily_unavailable"),
}

AnyT = TypeVar("AnyT")
Subject = Annotated[str, Field(min_length=1, max_length=255)]
Address = Annotated[str, Field(pattern="^https?://")]


@dataclass(frozen=True)
class ClientCredentials:
    """Our registration at a provider."""

    client_id: str
    client_secret: str


@dataclass(frozen=True)
class Endpoints:
    authorization: str
    token: str
    profile: str


@dataclass(frozen=True)
class ProviderConfig:
    """How one provider differs from the others. `read` raises ValueError if the content is not a profile."""

    endpoints: Callable[[], Endpoints]
    read: Callable[[bytes], SocialProfile]
    scope: str | None = None
    pkce: bool = True
    repeats_state: bool = False  # in the token request


class OAuthProviders:
    def __init__(
        self,
        client: httpx.Client,
        configs: Mapping[Provider, ProviderConfig],
        credentials: Callable[[Provider], ClientCredentials],
        guard: Callable[[Provider], Attempt],
    ) -> None:
        self._client = client
        self._configs = configs
        self._credentials = credentials
        self._guard = guard

    def authorization_url(self, attempt: OAuthAttempt, state: str) -> str:
        """Raises ServiceUnavailable while Google is unavailable, since its address is found by discovery."""
        config = self._configs[attempt.provider]
        endpoint = self._guarded(attempt.provider, config.endpoints).authorization
        url, _ = self._protocol(attempt).create_authorization_url(endpoint, state=state, code_verifier=attempt.verifier)
        return str(url)

    def profile(self, attempt: OAuthAttempt, state: str, code: str) -> SocialProfile:
        """Raises OAuthFailed if the provider rejects the code, ServiceUnavailable if it does not answer or rejects our
        registration."""
        return self._guarded(attempt.provider, lambda: self._profile(attempt, state, code))

    def _profile(self, attempt: OAuthAttempt, state: str, code: str) -> SocialProfile:
        config, client = self._configs[attempt.provider], self._credentials(attempt.provider)
        endpoints = config.endpoints()
        more = {"code_verifier": attempt.verifier} if config.pkce else {}
        token: _TokenResponse = self._protocol(attempt).fetch_token(
            endpoints.token,
            body=str(httpx.QueryParams({"state": state} if config.repeats_state else {})),
            auth=httpx.Auth(),  # none but the form's, which all three accept (client_secret_post)
            client_id=client.client_id,
            client_secret=client.client_secret,
            code=code,
            **more,
        )
        if token.access_token is None:
            raise _rejection(attempt.provider, token.error or "no error")
        bearer = {"Authorization": f"Bearer {token.access_token}"}
        response = self._client.get(endpoints.profile, headers=bearer)
        if response.is_client_error:  # the person is too young, gave no consent, …: a retry does not help
            raise _rejection(attempt.provider, f"profile {response.status_code}")
        return config.read(response.raise_for_status().content)

    def _protocol(self, attempt: OAuthAttempt) -> OAuth2Client:
        config = self._configs[attempt.provider]
        return _ProtocolClient(
            self._client,
            client_id=self._credentials(attempt.provider).client_id,
            redirect_uri=attempt.redirect_uri,
            scope=config.scope,
            code_challenge_method="S256" if config.pkce else None,
        )

    def _guarded(self, provider: Provider, call: Callable[[], AnyT]) -> AnyT:
        try:
            with self._guard(provider)():
                return call()
        except CircuitOpen as unavailable:
            raise ServiceUnavailable(retry_after=unavailable.retry_after) from None
        except PROVIDER_FAILURES as error:
            log.warning("no answer from a provider", extra={"provider": provider, "error": type(error).__name__})
            raise ServiceUnavailable(retry_after=1) from None


def _rejection(provider: Provider, error: str) -> DomainError:
    if error in NOT_CAUSED_BY_CODE:
        log.error("a provider rejects our registration", extra={"provider": provider, "error": error})
        return ServiceUnavailable(retry_after=1)
    log.warning("a provider rejects a code", extra={"provider": provider, "error": error[:40]})
    return OAuthFailed()


class _TokenResponse(BaseModel):
    """RFC 6749, 5.1 and 5.2; Naver answers an error with a 200."""

    access_token: Annotated[str, Field(max_length=8192, pattern=r"^[\x21-\x7e]+$")] | None = None  # it goes in a header
    error: str | None = None


class _ProtocolClient(OAuth2Client):  # type: ignore[misc]  # Authlib has no types
    def parse_response_token(self, resp: httpx.Response) -> _TokenResponse:
        """Authlib's own fails on lifetimes that are not numbers and descriptions that are not ASCII."""
        if resp.is_server_error:
            resp.raise_for_status()
        return _TokenResponse.model_validate_json(resp.content)


class GoogleDiscovery:
    """Google's endpoints, read once in each execution environment (OpenID Connect Discovery 1.0)."""

    def __init__(self, client: httpx.Client, issuer: str) -> None:
        self._client = client
        self._issuer = issuer.rstrip("/")
        self._found: Endpoints | None = None

    def __call__(self) -> Endpoints:
        if self._found is None:
            response = self._client.get(f"{self._issuer}/.well-known/openid-configuration").raise_for_status()
            document = _Discovery.model_validate_json(response.content)
            if document.issuer != self._issuer:
                raise ValueError("the discovery document of another issuer")
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
    is_email_valid: bool = False  # False once another Kakao account took the address
    is_email_verified: bool = False
    profile: _KakaoNames | None = None


class _KakaoPerson(BaseModel):
    id: Annotated[int, Field(strict=True, gt=0)]
    kakao_account: _KakaoAccount | None = None


class _NaverPerson(BaseModel):
    id: Subject
    email: str | None = None
    name: str | None = None


class _NaverResponse(BaseModel):
    resultcode: Literal["00"]
    response: _NaverPerson


class _GooglePerson(BaseModel):
    sub: Subject
    email: str | None = None
    email_verified: bool = False
    name: str | None = None


def read_kakao(content: bytes) -> SocialProfile:
    """`GET /v2/user/me`."""
    person = _KakaoPerson.model_validate_json(content)
    account = person.kakao_account or _KakaoAccount()
    verified = account.is_email_valid and account.is_email_verified
    return SocialProfile(
        str(person.id), account.email if verified else None, account.profile.nickname if account.profile else None
    )


def read_naver(content: bytes) -> SocialProfile:
    """`GET /v1/nid/me`. Naver does not say whether the address is verified."""
    person = _NaverResponse.model_validate_json(content).response
    return SocialProfile(person.id, person.email, person.name)


def read_google(content: bytes) -> SocialProfile:
    """Userinfo. Only `sub` never changes; an address can, and can pass to another person."""
    person = _GooglePerson.model_validate_json(content)
    return SocialProfile(person.sub, person.email if person.email_verified else None, person.name)
