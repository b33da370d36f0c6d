"""Linking a social identity with an account, as a second way to log in (AUTH-007)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.domain.clock import Clock
from common.domain.ids import UserId

if TYPE_CHECKING:
    from functions.auth.adapters.link_token_redis import LinkTokens
    from functions.auth.adapters.social_identity_repository import SocialIdentityRepository


class SocialLinking:
    def __init__(self, identities: SocialIdentityRepository, link_tokens: LinkTokens, clock: Clock) -> None:
        self._identities = identities
        self._link_tokens = link_tokens
        self._clock = clock

    def link(self, user_id: UserId, link_token: str) -> None:
        """Raises OAuthFailed for a token that is not valid, AlreadyLinked, TokenInvalid."""
        self._identities.link(user_id, self._link_tokens.identity(link_token), self._clock())
        self._link_tokens.spend(link_token)
