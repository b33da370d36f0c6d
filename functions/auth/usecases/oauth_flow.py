"""OAuth 2.0's authorization code flow, from our side (RFC 6749, 4.1; RFC 7636; RFC 9700).

`begin` sends the browser to a provider, `finish` is told what it came back with. What lies between is kept for ten
minutes and for one use: a state is good for the provider it was made for, once, whatever comes of it.

A state proves that the flow began here, not in whose browser. That the front end must see to: it keeps the state it was
given and sends none but that one (RFC 9700, 4.7), or it would link or sign in whoever follows a stranger's address.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from common.domain.shared_errors import InvalidInput
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import Profile, Provider

DEFAULT_PATH = "/oauth/callback"  # of the front end


@dataclass(frozen=True)
class Flow:
    """One that has begun."""

    provider: Provider
    redirect_uri: str
    verifier: str = field(repr=False)  # PKCE's


@dataclass(frozen=True)
class Begun:
    authorization_url: str
    state: str


class Flows(Protocol):
    def keep(self, state: str, flow: Flow) -> None: ...

    def take(self, state: str) -> Flow | None:
        """Whoever asks first gets it; None for everybody else."""


class Providers(Protocol):
    def authorization_url(self, flow: Flow, state: str) -> str:
        """Raises SERVICE_UNAVAILABLE."""

    def profile(self, flow: Flow, state: str, code: str) -> Profile:
        """Raises OAuthFailed for a code that is not good, SERVICE_UNAVAILABLE when the provider gives no answer."""


class OAuthFlow:
    """`origins` are the front end's; a browser is sent back to the first one's `/oauth/callback` by default."""

    def __init__(
        self, providers: Providers, flows: Flows, origins: Collection[str], new_secret: Callable[[], str]
    ) -> None:
        self._providers = providers
        self._flows = flows
        self._origins = origins
        self._new_secret = new_secret

    def begin(self, provider: Provider, redirect_uri: str | None) -> Begun:
        """Raises InvalidInput for an address that is not the front end's, SERVICE_UNAVAILABLE."""
        flow, state = Flow(provider, self._allowed(redirect_uri), self._new_secret()), self._new_secret()
        url = self._providers.authorization_url(flow, state)
        self._flows.keep(state, flow)
        return Begun(url, state)

    def finish(self, provider: Provider, state: str, code: str) -> Profile:
        """Whom the provider saw. Raises OAuthFailed, or SERVICE_UNAVAILABLE; then too the flow must begin anew.

        Die after the state was taken and it is spent, as the code may be: the person clicks again.
        """
        flow = self._flows.take(state)
        if flow is None or flow.provider is not provider:
            raise OAuthFailed()
        return self._providers.profile(flow, state, code)

    def _allowed(self, redirect_uri: str | None) -> str:
        """Any page of an allowed origin: a code that reached another would be another's (RFC 9700, 4.1)."""
        if redirect_uri is None:
            return next(iter(self._origins)) + DEFAULT_PATH
        # A browser reads backslashes as slashes and drops line breaks, and urlsplit does neither as it does.
        plain = redirect_uri.isascii() and redirect_uri.isprintable() and not set(redirect_uri) & set(" \\#")
        try:
            parts = urlsplit(redirect_uri)
        except ValueError:
            plain = False
        if not plain or f"{parts.scheme}://{parts.netloc}" not in self._origins:
            raise InvalidInput([{"field": "redirectUri", "reason": "must be a page of an allowed origin"}])
        return redirect_uri
