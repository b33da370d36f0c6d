"""OAuth 2.0's authorization code flow (RFC 6749, 4.1) with PKCE (RFC 7636), as far as three providers play it alike.

Each provider brings its own paths, answers and errors. Nobody clicks here: a person consents at once.
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

CODE_LIFE = timedelta(minutes=10)  # at most, says RFC 6749, 4.1.2
TOKEN_LIFE = timedelta(hours=1)


class Person(SandboxBody):
    """The body of `POST /sandbox/oauth/{provider}/person`: who consents next."""

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
    """What a code stands for until it is exchanged."""

    person: Person
    redirect_uri: str
    state: str
    challenge: str | None  # PKCE's, S256
    nonce: str | None  # OpenID Connect's
    until: datetime


@dataclass(frozen=True)
class Grant:
    """A code, exchanged."""

    consent: Consent
    access_token: str
    origin: str  # where the provider was reached, http://host:port


class Refusal(Enum):
    """Why no token is given."""

    CLIENT = auto()  # unknown, or with another secret
    GRANT = auto()  # the code is unknown, spent or expired, or PKCE's verifier is not its challenge's
    REDIRECT_URI = auto()  # another than the code was given to
    REQUEST = auto()  # a parameter is missing


class Refused(Exception):
    """The token endpoint says no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


class Provider(ABC):
    """One provider's authorization server and the account it answers for."""

    name: ClassVar[str]
    id_pattern: ClassVar[str] = r".+"
    authorize_path: ClassVar[str]
    token_path: ClassVar[str]
    profile_path: ClassVar[str]
    has_pkce: ClassVar[bool] = True
    repeats_redirect_uri: ClassVar[bool] = True  # the token request must
    repeats_state: ClassVar[bool] = False  # the token request must

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
            web.get(self.authorize_path, self._struck(self._authorize)),
            web.post(self.token_path, self._struck(self._token)),
            web.get(self.profile_path, self._struck(self._profile)),
            web.post(f"/sandbox/oauth/{self.name}/person", self._choose),
        ]

    @abstractmethod
    def someone(self, seed: bytes) -> Person:
        """A person made of 32 bytes, always the same one of the same bytes."""

    @abstractmethod
    def granted(self, grant: Grant) -> dict[str, Any]:
        """The body of the token endpoint's 200."""

    @abstractmethod
    def refused(self, refusal: Refusal) -> web.Response:
        """The token endpoint's answer to a bad request."""

    @abstractmethod
    def profile(self, person: Person) -> dict[str, Any]:
        """The body of the profile endpoint's 200."""

    @abstractmethod
    def unknown_token(self) -> web.Response:
        """The profile endpoint's answer to an access token there is none of."""

    def _struck(
        self, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            fault = self._faults.draw()
            if fault.mode is Mode.ERROR:
                # What stands in front of a provider answers in HTML, so a caller must not count on JSON.
                page = "<html><title>500 Internal Server Error</title></html>"
                return web.Response(status=500, text=page, content_type="text/html")
            answer = await handler(request)
            await fault.delay()
            return answer

        return handle

    async def _choose(self, request: web.Request) -> web.Response:
        person = await read_body(request, Person)
        if not re.fullmatch(self.id_pattern, person.id, re.ASCII):
            message = f"id: {self.name}'s are {self.id_pattern}"
            raise InvalidBody(message)
        self._next = person
        return web.json_response(person.model_dump(mode="json", by_alias=True))

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        redirect_uri = asked.get("redirect_uri", "")
        # Never sent back to a redirect URI, or for a client, that is not sound itself (RFC 6749, 4.1.2.1).
        if asked.get("client_id") != self._client.id or not _absolute(redirect_uri):
            return web.Response(status=400, text="<html><title>Bad client_id or redirect_uri</title></html>")
        state, challenge = asked.get("state", ""), asked.get("code_challenge") if self.has_pkce else None
        if asked.get("response_type") != "code" or (
            challenge is not None and asked.get("code_challenge_method") != "S256"
        ):
            return _redirect(redirect_uri, {"error": "invalid_request", "state": state})
        person, self._next = self._next, None
        code = secrets.token_urlsafe(32)
        self._codes[code] = Consent(
            person=person or self.someone(hashlib.sha256(state.encode()).digest()),
            redirect_uri=redirect_uri,
            state=state,
            challenge=challenge,
            nonce=asked.get("nonce"),
            until=self._clock() + CODE_LIFE,
        )
        return _redirect(redirect_uri, {"code": code, "state": state})

    async def _token(self, request: web.Request) -> web.Response:
        try:
            form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
            consent = self._redeem(form)
        except (ValueError, LookupError):  # not a form, or in no charset there is
            return self.refused(Refusal.REQUEST)
        except Refused as refused:
            return self.refused(refused.refusal)
        access_token = secrets.token_urlsafe(32)
        self._tokens[access_token] = (consent.person, self._clock() + TOKEN_LIFE)
        return web.json_response(self.granted(Grant(consent, access_token, origin(request))))

    def _redeem(self, form: Mapping[str, str]) -> Consent:
        if form.get("grant_type") != "authorization_code" or not form.get("code"):
            raise Refused(Refusal.REQUEST)
        if form.get("client_id") != self._client.id or not hmac.compare_digest(
            form.get("client_secret", "").encode(), self._client.secret.encode()
        ):
            raise Refused(Refusal.CLIENT)
        consent = self._codes.pop(form["code"], None)  # spent by the first who shows it, whatever comes of it
        if consent is None or consent.until <= self._clock():
            raise Refused(Refusal.GRANT)
        if self.repeats_redirect_uri and form.get("redirect_uri") != consent.redirect_uri:
            raise Refused(Refusal.REDIRECT_URI)
        if self.repeats_state and form.get("state") != consent.state:
            raise Refused(Refusal.REQUEST)
        # A verifier without a challenge is refused too: somebody took the challenge away (RFC 9700, 4.8.2).
        if self.has_pkce and _challenge(form.get("code_verifier")) != consent.challenge:
            raise Refused(Refusal.GRANT)
        return consent

    async def _profile(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        person, until = self._tokens.get(token, (None, self._clock()))
        if scheme.lower() != "bearer" or person is None or until <= self._clock():
            return self.unknown_token()
        return web.json_response(self.profile(person))


def origin(request: web.Request) -> str:
    """Where the sandbox was reached."""
    return f"http://{request.host}"


def _absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment


def _redirect(redirect_uri: str, parameters: Mapping[str, str]) -> web.Response:
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return web.Response(status=302, headers={"Location": f"{redirect_uri}{joint}{urlencode(parameters)}"})


def _challenge(verifier: str | None) -> str | None:
    """PKCE's S256 (RFC 7636, 4.2)."""
    if verifier is None:
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
