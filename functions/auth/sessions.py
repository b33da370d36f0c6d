"""Sessions: an access token for an hour, and a refresh token that is good for one next pair (AUTH-009, AUTH-011).

Of a refresh token, 256 random bits, only the SHA-256 is kept: so many bits need no salt and no slow hash.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from common.clock import Clock, NewId
from common.problem import TOKEN_EXPIRED, TOKEN_INVALID
from functions.auth.account import Role
from functions.auth.problems import TOKEN_REUSED


@dataclass(frozen=True)
class TokenPair:
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int  # seconds the access token lives


@dataclass(frozen=True)
class Holder:
    """Whose refresh token it was, with the role of today."""

    user_id: UUID
    role: Role


class Unfit(Enum):
    """Why a refresh token is not exchanged."""

    UNKNOWN = auto()
    SPENT = auto()  # its family has just been revoked
    REVOKED = auto()
    EXPIRED = auto()


REFUSALS = {
    Unfit.UNKNOWN: TOKEN_INVALID,
    Unfit.SPENT: TOKEN_REUSED,
    Unfit.REVOKED: TOKEN_INVALID,
    Unfit.EXPIRED: TOKEN_EXPIRED,
}


class RefreshTokens(Protocol):
    """Refresh tokens by hash. A family is all those that descend from one sign-in."""

    def begin(self, family_id: UUID, user_id: UUID, token_hash: bytes, now: datetime, expires_at: datetime) -> None: ...

    def exchange(self, token_hash: bytes, successor_hash: bytes, now: datetime, expires_at: datetime) -> Holder | Unfit:
        """Spend a token and put its successor in its place, both or neither; a spent one revokes its family."""


class Signer(Protocol):
    def sign(self, user_id: UUID, role: Role, now: datetime) -> str: ...

    @property
    def seconds(self) -> int: ...


def token_hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


class Sessions:
    def __init__(
        self,
        tokens: RefreshTokens,
        signer: Signer,
        clock: Clock,
        ids: NewId,
        new_token: Callable[[], str],
        refresh_life: timedelta,
    ) -> None:
        self._tokens = tokens
        self._signer = signer
        self._clock = clock
        self._ids = ids
        self._new_token = new_token
        self._refresh_life = refresh_life

    def open(self, user_id: UUID, role: Role) -> TokenPair:
        """The first pair of a sign-in."""
        now, refresh_token = self._clock(), self._new_token()
        self._tokens.begin(self._ids(), user_id, token_hash(refresh_token), now, now + self._refresh_life)
        return self._pair(user_id, role, refresh_token, now)

    def renew(self, refresh_token: str) -> TokenPair:
        """The next pair. Refuses TOKEN_INVALID, TOKEN_EXPIRED, or TOKEN_REUSED, after which the whole family is dead.

        Two renewals at once with one token: the first wins, the other is told TOKEN_REUSED and ends the family, the
        winner's pair included. A thief racing the owner looks exactly so; a period of grace would be his too (RFC 9700,
        4.14.2). A front end with several tabs renews in one of them.
        """
        now, successor = self._clock(), self._new_token()
        held = self._tokens.exchange(token_hash(refresh_token), token_hash(successor), now, now + self._refresh_life)
        if isinstance(held, Unfit):
            raise REFUSALS[held].refusal()
        return self._pair(held.user_id, held.role, successor, now)

    def _pair(self, user_id: UUID, role: Role, refresh_token: str, now: datetime) -> TokenPair:
        return TokenPair(self._signer.sign(user_id, role, now), refresh_token, self._signer.seconds)
