"""Signing in as somebody Kakao, Naver or Google vouches for (AUTH-007).

An account is found by the provider's own id of a person and by nothing else: whoever can have an address at a provider
is not therefore its owner here. Who has no account linked gets a link token, for an account of theirs or a new one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from functions.auth.domain.account import LinkedAccount, Role, Status
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import InvalidCredentials, OAuthFailed
from functions.auth.domain.login_record import Method
from functions.auth.domain.social_identity import Profile, Provider, SocialIdentity
from functions.auth.usecases.sessions import TokenPair


@dataclass(frozen=True)
class LinkOffer:
    """Nobody's yet. The address and the name are as the provider has them, for a form to begin with."""

    link_token: str = field(repr=False)
    email: str | None = field(repr=False)
    name: str | None = field(repr=False)


class Flow(Protocol):
    def finish(self, provider: Provider, state: str, code: str) -> Profile:
        """Raises OAuthFailed or SERVICE_UNAVAILABLE."""


class Identities(Protocol):
    def account(self, identity: SocialIdentity) -> LinkedAccount | None: ...


class LinkTokens(Protocol):
    def issue(self, identity: SocialIdentity) -> str: ...


class History(Protocol):
    def succeeded(self, user_id: UUID, caller: Caller, method: Method) -> None: ...


class Sessions(Protocol):
    def open(self, user_id: UUID, role: Role) -> TokenPair:
        """Wakes a dormant account. Raises InvalidCredentials for one that was withdrawn meanwhile."""


class SocialSignIn:
    """`lookup` is the vault's."""

    def __init__(
        self,
        flow: Flow,
        lookup: Callable[[str, str], bytes],
        identities: Identities,
        link_tokens: LinkTokens,
        history: History,
        sessions: Sessions,
    ) -> None:
        self._flow = flow
        self._lookup = lookup
        self._identities = identities
        self._link_tokens = link_tokens
        self._history = history
        self._sessions = sessions

    def sign_in(self, provider: Provider, state: str, code: str, caller: Caller) -> TokenPair | LinkOffer:
        """Raises OAuthFailed, for a withdrawn account too, or SERVICE_UNAVAILABLE."""
        profile = self._flow.finish(provider, state, code)
        identity = SocialIdentity(provider, self._lookup(f"oauth:{provider}", profile.subject))
        account = self._identities.account(identity)
        if account is None:
            return LinkOffer(self._link_tokens.issue(identity), profile.email, profile.name)
        if account.status is Status.WITHDRAWN:
            raise OAuthFailed()
        self._history.succeeded(account.user_id, caller, Method[provider.name])
        try:
            return self._sessions.open(account.user_id, account.role)
        except InvalidCredentials:
            raise OAuthFailed() from None
