"""The client's side of OAuth 2.0's authorization code flow (RFC 6749, 4.1; RFC 7636; RFC 9700).

`begin` sends the browser to a provider, `finish` takes what it came back with. The attempt between the two is stored
for ten minutes and for one use: a state is valid once, for the provider that it was made for, whatever the result.

A state proves that the flow began here, but not in which browser. The front end must check that: it stores the state
that it received and sends no other (RFC 9700, 4.7). Otherwise following a link could log a user in as another person.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from common.domain.shared_errors import InvalidInput
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import OAuthAttempt, Provider, SocialProfile

DEFAULT_PATH = "/oauth/callback"  # of the front end


@dataclass(frozen=True)
class OAuthStart:
    authorization_url: str
    state: str


class States(Protocol):
    def save(self, state: str, attempt: OAuthAttempt) -> None: ...

    def take(self, state: str) -> OAuthAttempt | None:
        """The first call returns it, every other None."""


class Providers(Protocol):
    def authorization_url(self, attempt: OAuthAttempt, state: str) -> str:
        """Raises ServiceUnavailable."""

    def profile(self, attempt: OAuthAttempt, state: str, code: str) -> SocialProfile:
        """Raises OAuthFailed for a code that is not valid, ServiceUnavailable if the provider does not answer."""


class OAuthFlow:
    """`origins` are those of the front end; by default a browser returns to `/oauth/callback` of the first."""

    def __init__(
        self, providers: Providers, states: States, origins: Collection[str], new_secret: Callable[[], str]
    ) -> None:
        self._providers = providers
        self._states = states
        self._origins = origins
        self._new_secret = new_secret

    def begin(self, provider: Provider, redirect_uri: str | None) -> OAuthStart:
        """Raises InvalidInput if `redirect_uri` is not a page of the front end, ServiceUnavailable."""
        attempt, state = OAuthAttempt(provider, self._allowed(redirect_uri), self._new_secret()), self._new_secret()
        url = self._providers.authorization_url(attempt, state)
        self._states.save(state, attempt)
        return OAuthStart(url, state)

    def finish(self, provider: Provider, state: str, code: str) -> SocialProfile:
        """The person that the provider reports. Raises OAuthFailed or ServiceUnavailable; then a new flow must begin.

        If the process crashes after the state was taken, state and code are spent: the user starts again.
        """
        attempt = self._states.take(state)
        if attempt is None or attempt.provider is not provider:
            raise OAuthFailed()
        return self._providers.profile(attempt, state, code)

    def _allowed(self, redirect_uri: str | None) -> str:
        """Any page of an allowed origin: a page elsewhere could steal the code (RFC 9700, 4.1)."""
        if redirect_uri is None:
            return next(iter(self._origins)) + DEFAULT_PATH
        # A browser reads backslashes as slashes and drops line breaks; urlsplit does not.
        plain = redirect_uri.isascii() and redirect_uri.isprintable() and not set(redirect_uri) & set(" \\#")
        try:
            parts = urlsplit(redirect_uri)
        except ValueError:
            plain = False
        if not plain or f"{parts.scheme}://{parts.netloc}" not in self._origins:
            raise InvalidInput([{"field": "redirectUri", "reason": "must be a page of an allowed origin"}])
        return redirect_uri
