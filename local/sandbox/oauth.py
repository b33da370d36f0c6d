"""OAuth 2.0's authorization code flow (RFC 6749, 4.1) with PKCE (RFC 7636), the part that all three providers share.

Each provider has its own paths, responses and errors. The person consents at once.
"""

import base64
import hashlib
import hmac
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from pydantic import Field

from local.sandbox.bodies import InvalidBody, SandboxBody, read_body
from local.sandbox.clock import Clock
from local.sandbox.faults import Faults, Mode

CODE_LIFE = timedelta(minutes=10)  # the most that RFC 6749, 4.1.2 recommends
TOKEN_LIFE = timedelta(hours=1)


class Person(SandboxBody):
    """The body of `POST /sandbox/oauth/{provider}/person`: the person who consents next."""

    id: str = Field(min_length=1, max_length=100)
    email: str | None = Field(default=None, min_length=3, max_length=254)
    name: str | None = Field(default=None, min_length=1, max_length=100)
    email_verified: bool = True


@dataclass(frozen=True)
class Client:
    """The application, as registered with a provider."""

    id: str
    secret: str


@dataclass(frozen=True)
class Consent:
    """What an authorization code stands for."""

    person: Person
    redirect_uri: str
    state: str
    challenge: str | None  # PKCE's, S256
    nonce: str | None  # OpenID Connect's
    expires_at: datetime


@dataclass(frozen=True)
class Grant:
    """The result of exchanging a code."""

    consent: Consent
    access_token: str
    origin: str  # where the provider was reached, http://host:port


class RejectionReason(Enum):
    """Why no token is issued."""

    CLIENT = auto()  # unknown, or a wrong secret
    GRANT = auto()  # the code is unknown, used or expired, or PKCE's verifier does not match its challenge
    REDIRECT_URI = auto()  # not the one that the code was issued for
    REQUEST = auto()  # a parameter is missing


class TokenRejected(Exception):
    """The token endpoint rejects the request."""

    def __init__(self, reason: RejectionReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Provider(ABC):
    """One provider's authorization server and profile API."""

    name: ClassVar[str]
    id_pattern: ClassVar[str] = r".+"
    authorize_path: ClassVar[str]
    token_path: ClassVar[str]
    profile_path: ClassVar[str]
    has_pkce: ClassVar[bool] = True
    repeats_redirect_uri: ClassVar[bool] = True  # the token request must contain it
    repeats_state: ClassVar[bool] = False  # the token request must contain it

    def __init__(self, client: Client, faults: Faults, clock: Clock) -> None:
        self._client = client
        self._faults = faults
        self._clock = clock
        self._next: Person | None = None
        self._codes: dict[str, Consent] = {}
        self._tokens: dict[str, tuple[Person, datetime]] = {}

    def routes(self) -> list[web.RouteDef]:
        """The provider's own paths, and `/sandbox/oauth/{provider}/person`."""
        return [
            web.get(self.authorize_path, self._with_faults(self._authorize)),
            web.post(self.token_path, self._with_faults(self._token)),
            web.get(self.profile_path, self._with_faults(self._get_profile)),
            web.post(f"/sandbox/oauth/{self.name}/person", self._set_next_person),
        ]

    @abstractmethod
    def sample_person(self, seed: bytes) -> Person:
        """A person made from 32 bytes: the same bytes give the same person."""

    @abstractmethod
    def token_body(self, grant: Grant) -> dict[str, Any]:
        """The body of the token endpoint's 200."""

    @abstractmethod
    def token_error(self, reason: RejectionReason) -> web.Response:
        """The token endpoint's response to a bad request."""

    @abstractmethod
    def profile_body(self, person: Person) -> dict[str, Any]:
        """The body of the profile endpoint's 200."""

    @abstractmethod
    def unknown_token_response(self) -> web.Response:
        """The profile endpoint's response to an unknown access token."""

    def _with_faults(
        self, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            fault = self._faults.draw()
            if fault.mode is Mode.ERROR:
                # Proxies in front of a provider respond in HTML, so a client must not rely on JSON.
                page = "<html><title>500 Internal Server Error</title></html>"
                return web.Response(status=500, text=page, content_type="text/html")
            answer = await handler(request)
            await fault.delay()
            return answer

        return handle

    async def _set_next_person(self, request: web.Request) -> web.Response:
        person = await read_body(request, Person)
        if not re.fullmatch(self.id_pattern, person.id, re.ASCII):
            message = f"id: must match {self.id_pattern} for {self.name}"
            raise InvalidBody(message)
        self._next = person
        return web.json_response(person.model_dump(mode="json", by_alias=True))

    async def _authorize(self, request: web.Request) -> web.Response:
        query = request.query
        redirect_uri = query.get("redirect_uri", "")
        # No redirect if the client or the redirect URI itself is invalid (RFC 6749, 4.1.2.1).
        if query.get("client_id") != self._client.id or not _absolute(redirect_uri):
            return web.Response(status=400, text="<html><title>Bad client_id or redirect_uri</title></html>")
        state, challenge = query.get("state", ""), query.get("code_challenge") if self.has_pkce else None
        if query.get("response_type") != "code" or (
            challenge is not None and query.get("code_challenge_method") != "S256"
        ):
            return _redirect(redirect_uri, {"error": "invalid_request", "state": state})
        person, self._next = self._next, None
        code = secrets.token_urlsafe(32)
        self._codes[code] = Consent(
            person=person or self.sample_person(hashlib.sha256(state.encode()).digest()),
            redirect_uri=redirect_uri,
            state=state,
            challenge=challenge,
            nonce=query.get("nonce"),
            expires_at=self._clock() + CODE_LIFE,
        )
        return _redirect(redirect_uri, {"code": code, "state": state})

    async def _token(self, request: web.Request) -> web.Response:
        try:
            form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
            consent = self._redeem(form)
        except (ValueError, LookupError):  # not a form, or an unknown charset
            return self.token_error(RejectionReason.REQUEST)
        except TokenRejected as error:
            return self.token_error(error.reason)
        access_token = secrets.token_urlsafe(32)
        self._tokens[access_token] = (consent.person, self._clock() + TOKEN_LIFE)
        return web.json_response(self.token_body(Grant(consent, access_token, origin(request))))

    def _redeem(self, form: Mapping[str, str]) -> Consent:
        if form.get("grant_type") != "authorization_code" or not form.get("code"):
            raise TokenRejected(RejectionReason.REQUEST)
        if form.get("client_id") != self._client.id or not hmac.compare_digest(
            form.get("client_secret", "").encode(), self._client.secret.encode()
        ):
            raise TokenRejected(RejectionReason.CLIENT)
        consent = self._codes.pop(form["code"], None)  # used up, even if the request is rejected
        if consent is None or consent.expires_at <= self._clock():
            raise TokenRejected(RejectionReason.GRANT)
        if self.repeats_redirect_uri and form.get("redirect_uri") != consent.redirect_uri:
            raise TokenRejected(RejectionReason.REDIRECT_URI)
        if self.repeats_state and form.get("state") != consent.state:
            raise TokenRejected(RejectionReason.REQUEST)
        # A verifier without a challenge is rejected too: an attacker may have removed the challenge (RFC 9700, 4.8.2).
        if self.has_pkce and _challenge(form.get("code_verifier")) != consent.challenge:
            raise TokenRejected(RejectionReason.GRANT)
        return consent

    async def _get_profile(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        person, expires_at = self._tokens.get(token, (None, self._clock()))
        if scheme.lower() != "bearer" or person is None or expires_at <= self._clock():
            return self.unknown_token_response()
        return web.json_response(self.profile_body(person))


def origin(request: web.Request) -> str:
    """The URL at which the sandbox was reached."""
    return f"http://{request.host}"


def _absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment


def _redirect(redirect_uri: str, parameters: Mapping[str, str]) -> web.Response:
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return web.Response(status=302, headers={"Location": f"{redirect_uri}{separator}{urlencode(parameters)}"})


def _challenge(verifier: str | None) -> str | None:
    """PKCE's S256 (RFC 7636, 4.2)."""
    if verifier is None:
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
