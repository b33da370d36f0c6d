"""Sessions: an access token for an hour and a refresh token for one next pair (AUTH-009, AUTH-011).

Of a refresh token the SHA-256 is stored, of an access token its `jti` and expiry, so that a session can be ended with
every token that it issued.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from common.domain.clock import Clock, NewId
from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import TokenExpired, TokenInvalid
from common.runtime.log import log
from functions.auth.domain.account import Role
from functions.auth.domain.errors import InvalidCredentials, TokenReused
from functions.auth.domain.session import (
    AccessToken,
    IssuedPair,
    RefreshFailure,
    RefreshingDevice,
    ReusedToken,
    TokenHolder,
    TokenPair,
    token_hash,
)
from functions.auth.usecases.ports import Blacklist

ERRORS = {
    RefreshFailure.UNKNOWN: TokenInvalid,
    RefreshFailure.REUSED: TokenReused,
    RefreshFailure.REVOKED: TokenInvalid,
    RefreshFailure.EXPIRED: TokenExpired,
}


class SessionRecords(Protocol):
    """Refresh tokens by hash. A session is all the tokens that follow one login."""

    def begin(
        self, session_id: SessionId, user_id: UserId, first: IssuedPair, now: datetime, password_hash: str | None
    ) -> bool: ...

    def exchange(
        self, token_hash: bytes, successor: IssuedPair, device: RefreshingDevice, now: datetime
    ) -> TokenHolder | ReusedToken | RefreshFailure:
        """Spend a token and store its successor, both or neither; a token that was spent before ends its session,
        unless the same device spent it within the grace."""


class Signer(Protocol):
    def sign(self, user_id: UserId, role: Role, session_id: SessionId, token_id: UUID, now: datetime) -> str: ...

    @property
    def seconds(self) -> int: ...


class Sessions:
    def __init__(
        self,
        records: SessionRecords,
        signer: Signer,
        blacklist: Blacklist,
        clock: Clock,
        ids: NewId,
        new_token: Callable[[], str],
        refresh_lifetime: timedelta,
        grace: timedelta,
    ) -> None:
        self._records = records
        self._signer = signer
        self._blacklist = blacklist
        self._clock = clock
        self._ids = ids
        self._new_token = new_token
        self._refresh_lifetime = refresh_lifetime
        self._grace = grace

    def open(self, user_id: UserId, role: Role, password_hash: str | None = None) -> TokenPair:
        """Open the session of a login; a dormant account becomes ACTIVE.

        Raises InvalidCredentials if the account was withdrawn meanwhile, or if `password_hash`, which the login was
        checked against, is no longer the account's: a password change ends only the sessions that exist then.
        """
        now, session_id, refresh_token = self._clock(), SessionId(self._ids()), self._new_token()
        pair = self._issue(refresh_token, now)
        if not self._records.begin(session_id, user_id, pair, now, password_hash):
            raise InvalidCredentials()
        return self._signed(TokenHolder(user_id, role, session_id), pair, refresh_token, now)

    def renew(self, refresh_token: str, device: bytes | None = None) -> TokenPair:
        """Exchange a refresh token for the next pair. Raises TokenInvalid, TokenExpired, or TokenReused, which ends the
        session. `device` is `device_hash` of the request.

        Within the grace, the device that spent a token can use it again, as two tabs do: each gets a pair of its own.
        The refresh tokens of these pairs are spent together, so a thief among the tabs is found out at the next
        refresh, as without the grace (docs/adr/0100-tabs-that-refresh-at-once-stay-logged-in.md).
        """
        now, next_token = self._clock(), self._new_token()
        successor = self._issue(next_token, now)
        refreshing = RefreshingDevice(device if self._grace else None, self._grace)
        outcome = self._records.exchange(token_hash(refresh_token), successor, refreshing, now)
        if isinstance(outcome, ReusedToken):
            self._end_access(outcome.alive, now)
            raise TokenReused()
        if isinstance(outcome, RefreshFailure):
            raise ERRORS[outcome]()
        return self._signed(outcome, successor, next_token, now)

    def _end_access(self, alive: Sequence[AccessToken], now: datetime) -> None:
        """The session has ended already, and TokenReused is raised whatever happens here. If the process crashes or
        Redis is unavailable, the access tokens stay valid until they expire or the spent token is used once more."""
        try:
            self._blacklist.add(alive, now)
        except Exception:
            log.exception("access tokens outlive their session", extra={"tokens": len(alive)})

    def _issue(self, refresh_token: str, now: datetime) -> IssuedPair:
        access_expires_at = now + timedelta(seconds=self._signer.seconds)
        return IssuedPair(token_hash(refresh_token), now + self._refresh_lifetime, self._ids(), access_expires_at)

    def _signed(self, holder: TokenHolder, issued: IssuedPair, refresh_token: str, now: datetime) -> TokenPair:
        access_token = self._signer.sign(holder.user_id, holder.role, holder.session_id, issued.access_token_id, now)
        return TokenPair(access_token, refresh_token, self._signer.seconds)
