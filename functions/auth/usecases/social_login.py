"""Logging in through Kakao, Naver or Google (AUTH-007).

An account is found by the provider's own id of the person and by nothing else: having an e-mail address at a provider
does not prove that it is the address of an account here. Without a linked account, the person gets a link token, for an
existing account or a new one.
"""

from typing import Protocol

from common.domain.ids import UserId
from functions.auth.domain.account import AccountStatus, LinkedAccount, Role
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import InvalidCredentials, OAuthFailed
from functions.auth.domain.login_record import LoginMethod
from functions.auth.domain.session import TokenPair
from functions.auth.domain.social_identity import LinkOffer, Provider, SocialIdentity, SocialProfile
from functions.auth.usecases.ports import Lookup


class Flow(Protocol):
    def finish(self, provider: Provider, state: str, code: str) -> SocialProfile:
        """Raises OAuthFailed or ServiceUnavailable."""


class Identities(Protocol):
    def account(self, identity: SocialIdentity) -> LinkedAccount | None: ...


class LinkTokens(Protocol):
    def issue(self, identity: SocialIdentity) -> str: ...


class History(Protocol):
    def succeeded(self, user_id: UserId, caller: Caller, method: LoginMethod) -> None: ...


class Sessions(Protocol):
    def open(self, user_id: UserId, role: Role) -> TokenPair:
        """Makes a dormant account ACTIVE. Raises InvalidCredentials if the account was withdrawn meanwhile."""


class SocialLogin:
    def __init__(
        self,
        flow: Flow,
        lookup: Lookup,
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

    def log_in(self, provider: Provider, state: str, code: str, caller: Caller) -> TokenPair | LinkOffer:
        """Raises OAuthFailed, also for a withdrawn account, or ServiceUnavailable."""
        profile = self._flow.finish(provider, state, code)
        identity = SocialIdentity(provider, self._lookup(f"oauth:{provider}", profile.subject))
        account = self._identities.account(identity)
        if account is None:
            return LinkOffer(self._link_tokens.issue(identity), profile.email, profile.name)
        if account.status is AccountStatus.WITHDRAWN:
            raise OAuthFailed()
        self._history.succeeded(account.user_id, caller, LoginMethod[provider.name])
        try:
            return self._sessions.open(account.user_id, account.role)
        except InvalidCredentials:
            raise OAuthFailed() from None
