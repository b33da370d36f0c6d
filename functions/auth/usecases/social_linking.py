"""Giving an account a second way in (AUTH-007)."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from common.domain.clock import Clock
from functions.auth.domain.social_identity import SocialIdentity


class Identities(Protocol):
    def link(self, user_id: UUID, identity: SocialIdentity, now: datetime) -> None:
        """Refuses ALREADY_LINKED, and TOKEN_INVALID for an account that is no longer in use."""


class LinkTokens(Protocol):
    def identity(self, token: str) -> SocialIdentity:
        """Refuses OAUTH_FAILED."""

    def spend(self, token: str) -> None: ...


class SocialLinking:
    def __init__(self, identities: Identities, link_tokens: LinkTokens, clock: Clock) -> None:
        self._identities = identities
        self._link_tokens = link_tokens
        self._clock = clock

    def link(self, user_id: UUID, link_token: str) -> None:
        """Refuses OAUTH_FAILED for a token that is not good, ALREADY_LINKED, TOKEN_INVALID."""
        self._identities.link(user_id, self._link_tokens.identity(link_token), self._clock())
        self._link_tokens.spend(link_token)
