"""Sessions: an access token for an hour, and a refresh token that is good for one next pair (AUTH-009, AUTH-011).

Of a refresh token, 256 random bits, only the SHA-256 is kept: so many bits need no salt and no slow hash. Of an access
token its `jti` and its end are kept, so that a session can be ended with all it issued.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from common.domain.clock import Clock, NewId
from common.domain.shared_errors import TokenExpired, TokenInvalid
from common.runtime.log import log
from functions.auth.domain.account import Role
from functions.auth.domain.errors import InvalidCredentials, TokenReused


@dataclass(frozen=True)
class TokenPair:
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int  # seconds the access token lives


@dataclass(frozen=True)
class AccessToken:
    """What is kept of one: enough to end it."""

    id: str  # jti
    expires_at: datetime


@dataclass(frozen=True)
class IssuedPair:
    """What is kept of a pair."""

    token_hash: bytes  # the refresh token's
    expires_at: datetime  # the refresh token's
    access_token_id: UUID
    access_expires_at: datetime


@dataclass(frozen=True)
class Holder:
    """Whose refresh token it was, with the role of today."""

    user_id: UUID
    role: Role
    session_id: UUID


@dataclass(frozen=True)
class Reused:
    """The token had been spent, so its session has just been ended; these are its access tokens still alive."""

    alive: Sequence[AccessToken]


class Unfit(Enum):
    """Why else a refresh token is not exchanged."""

    UNKNOWN = auto()
    REVOKED = auto()
    EXPIRED = auto()


REFUSALS = {Unfit.UNKNOWN: TokenInvalid, Unfit.REVOKED: TokenInvalid, Unfit.EXPIRED: TokenExpired}


class Store(Protocol):
    """Refresh tokens by hash. A session is all those that descend from one sign-in."""

    def begin(
        self, session_id: UUID, user_id: UUID, first: IssuedPair, now: datetime, password_hash: str | None
    ) -> bool: ...

    def exchange(self, token_hash: bytes, successor: IssuedPair, now: datetime) -> Holder | Reused | Unfit:
        """Spend a token and put its successor in its place, both or neither; a spent one ends its session."""


class Signer(Protocol):
    def sign(self, user_id: UUID, role: Role, session_id: UUID, token_id: UUID, now: datetime) -> str: ...

    @property
    def seconds(self) -> int: ...


class Blacklist(Protocol):
    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None: ...


def token_hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


class Sessions:
    def __init__(
        self,
        store: Store,
        signer: Signer,
        blacklist: Blacklist,
        clock: Clock,
        ids: NewId,
        new_token: Callable[[], str],
        refresh_life: timedelta,
    ) -> None:
        self._store = store
        self._signer = signer
        self._blacklist = blacklist
        self._clock = clock
        self._ids = ids
        self._new_token = new_token
        self._refresh_life = refresh_life

    def open(self, user_id: UUID, role: Role, password_hash: str | None = None) -> TokenPair:
        """The first pair of a sign-in, which also wakes a dormant account.

        Raises InvalidCredentials when the account was withdrawn meanwhile, or its password is no longer the one of
        `password_hash`, which the sign-in was let through with: a change ends the sessions it finds, not this one.
        """
        now, session_id, refresh_token = self._clock(), self._ids(), self._new_token()
        pair = self._issue(refresh_token, now)
        if not self._store.begin(session_id, user_id, pair, now, password_hash):
            raise InvalidCredentials()
        return self._signed(Holder(user_id, role, session_id), pair, refresh_token, now)

    def renew(self, refresh_token: str) -> TokenPair:
        """The next pair. Raises TokenInvalid, TokenExpired, or TokenReused, after which the whole session is dead.

        Two renewals at once with one token: the first wins, the other is told TokenReused and ends the session, the
        winner's pair included. A thief racing the owner looks exactly so; a period of grace would be his too (RFC 9700,
        4.14.2). A front end with several tabs renews in one of them.
        """
        now, next_token = self._clock(), self._new_token()
        successor = self._issue(next_token, now)
        held = self._store.exchange(token_hash(refresh_token), successor, now)
        if isinstance(held, Reused):
            self._end_access(held.alive, now)
            raise TokenReused()
        if isinstance(held, Unfit):
            raise REFUSALS[held]()
        return self._signed(held, successor, next_token, now)

    def _end_access(self, alive: Sequence[AccessToken], now: datetime) -> None:
        """The session is ended already, and the refusal stands whatever happens here. Die, or find Redis away, and the
        access tokens live out their hour, unless the spent token comes back once more."""
        try:
            self._blacklist.add(alive, now)
        except Exception:
            log.exception("access tokens outlive their session", extra={"tokens": len(alive)})

    def _issue(self, refresh_token: str, now: datetime) -> IssuedPair:
        access_expires_at = now + timedelta(seconds=self._signer.seconds)
        return IssuedPair(token_hash(refresh_token), now + self._refresh_life, self._ids(), access_expires_at)

    def _signed(self, holder: Holder, issued: IssuedPair, refresh_token: str, now: datetime) -> TokenPair:
        access_token = self._signer.sign(holder.user_id, holder.role, holder.session_id, issued.access_token_id, now)
        return TokenPair(access_token, refresh_token, self._signer.seconds)
