"""Sessions: what one login opens, and why a refresh token is rejected (AUTH-008 to AUTH-011)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from hashlib import sha256
from uuid import UUID

from common.domain.ids import SessionId, UserId
from functions.auth.domain.account import Role

MAX_SIBLINGS = 10  # tokens of one generation: as many tabs may refresh at once


@dataclass(frozen=True)
class TokenPair:
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int  # seconds that the access token is valid


@dataclass(frozen=True)
class AccessToken:
    """What is stored of an access token: enough to revoke it."""

    id: str  # jti
    expires_at: datetime


@dataclass(frozen=True)
class IssuedPair:
    """What is stored of a token pair."""

    token_hash: bytes  # of the refresh token
    expires_at: datetime  # of the refresh token
    access_token_id: UUID
    access_expires_at: datetime


@dataclass(frozen=True)
class TokenHolder:
    """The user and session that a refresh token belongs to, with the user's current role."""

    user_id: UserId
    role: Role
    session_id: SessionId


@dataclass(frozen=True)
class ReusedToken:
    """The refresh token was spent before, so its session has just been ended. `alive` are the session's access tokens
    that have not expired."""

    alive: Sequence[AccessToken]


class RefreshFailure(Enum):
    """Why a refresh token is not exchanged."""

    UNKNOWN = auto()
    REUSED = auto()
    REVOKED = auto()
    EXPIRED = auto()


def refresh_failure(spent_at: datetime | None, revoked_at: datetime | None) -> RefreshFailure:
    """Why a refresh token that exists could not be exchanged. Reuse comes first: it ends the session."""
    if spent_at is not None:
        return RefreshFailure.REUSED
    return RefreshFailure.EXPIRED if revoked_at is None else RefreshFailure.REVOKED


@dataclass(frozen=True)
class RefreshingDevice:
    """The device that refreshes: only the one that spent a token gets a sibling of its successor, within `grace`."""

    hash: bytes | None  # None for a device that does not say what it is
    grace: timedelta


def device_hash(headers: Mapping[str, str]) -> bytes | None:
    """Of `X-Device-Fingerprint` and `User-Agent`; None without a user agent. `headers` have names in lower case.

    The address is no part of it: a telephone's tabs may refresh over IPv4 and IPv6, or while it changes its network.
    """
    agent = headers.get("user-agent", "")
    if not agent:
        return None
    traits = f"{headers.get('x-device-fingerprint', '')}\n{agent}"
    return sha256(traits.encode(errors="replace")).digest()


def token_hash(token: str) -> bytes:
    """Of a refresh token only this is stored: 256 random bits need no salt and no slow hash."""
    return sha256(token.encode()).digest()
