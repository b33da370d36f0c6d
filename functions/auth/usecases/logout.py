"""Logging out (AUTH-008)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from common.domain.clock import Clock
from common.domain.ids import SessionId, UserId
from functions.auth.domain.session import AccessToken, token_hash
from functions.auth.usecases.ports import Blacklist


class Sessions(Protocol):
    def end(
        self, user_id: UserId, session_id: SessionId, token_hash: bytes | None, now: datetime
    ) -> Sequence[AccessToken]:
        """End the session, and that of the refresh token if it is this user's. Returns the access tokens that have not
        expired."""


class Logout:
    def __init__(self, sessions: Sessions, blacklist: Blacklist, clock: Clock) -> None:
        self._sessions = sessions
        self._blacklist = blacklist
        self._clock = clock

    def log_out(self, user_id: UserId, session_id: SessionId, access: AccessToken, refresh_token: str | None) -> None:
        """End the session of the access token, and that of `refresh_token` if it is another session of this user.
        Another user's refresh token, or an unknown one, changes nothing and raises nothing.

        The access token is revoked last, so that a logout that failed half-way can be repeated with it.
        """
        now = self._clock()
        spent = None if refresh_token is None else token_hash(refresh_token)
        others = [token for token in self._sessions.end(user_id, session_id, spent, now) if token.id != access.id]
        # If the process crashes here, the sessions get no new tokens, but access tokens stay valid until they expire or
        # the logout is repeated.
        self._blacklist.add(others, now)
        self._blacklist.add([access], now)
