"""Signing out (AUTH-008)."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from common.clock import Clock
from functions.auth.sessions import token_hash


class RefreshTokens(Protocol):
    def revoke(self, token_hash: bytes, user_id: UUID, now: datetime) -> None:
        """End the token's family, if it is this user's."""


class Blacklist(Protocol):
    def add(self, token_id: str, seconds: int) -> None: ...


class SignOut:
    def __init__(self, tokens: RefreshTokens, blacklist: Blacklist, clock: Clock) -> None:
        self._tokens = tokens
        self._blacklist = blacklist
        self._clock = clock

    def sign_out(self, user_id: UUID, token_id: str, token_expires_at: int, refresh_token: str | None) -> None:
        """End the access token, `token_id` being its jti and `token_expires_at` epoch seconds, and the session of
        `refresh_token`. Another's refresh token, or one there is none of, changes nothing and tells nothing.

        The access token dies last: a sign-out that failed half-way can be repeated with it.
        """
        now = self._clock()
        if refresh_token is not None:
            self._tokens.revoke(token_hash(refresh_token), user_id, now)
        left = token_expires_at - int(now.timestamp())
        if left > 0:
            self._blacklist.add(token_id, left)
