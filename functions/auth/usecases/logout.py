"""Signing out (AUTH-008)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from common.domain.clock import Clock
from functions.auth.usecases.sessions import AccessToken, token_hash


class Store(Protocol):
    def end(self, user_id: UUID, session_id: UUID, token_hash: bytes | None, now: datetime) -> Sequence[AccessToken]:
        """End the session, and the refresh token's if it is this user's: the access tokens still alive."""


class Blacklist(Protocol):
    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None: ...


class SignOut:
    def __init__(self, store: Store, blacklist: Blacklist, clock: Clock) -> None:
        self._store = store
        self._blacklist = blacklist
        self._clock = clock

    def sign_out(self, user_id: UUID, session_id: UUID, access: AccessToken, refresh_token: str | None) -> None:
        """End the session of the access token in hand, and that of `refresh_token` should it be another of the user's.
        Another user's refresh token, or one there is none of, changes nothing and tells nothing.

        The token in hand dies last: a sign-out that failed half-way can be repeated with it.
        """
        now = self._clock()
        spent = None if refresh_token is None else token_hash(refresh_token)
        others = [token for token in self._store.end(user_id, session_id, spent, now) if token.id != access.id]
        # Die here, and the sessions get no new tokens; what they have live out their hour unless this is repeated.
        self._blacklist.add(others, now)
        self._blacklist.add([access], now)
