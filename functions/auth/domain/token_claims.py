"""What an access token says (RFC 7519)."""

from dataclasses import dataclass

from common.domain.ids import SessionId, UserId
from functions.auth.domain.account import Role


@dataclass(frozen=True)
class TokenClaims:
    user_id: UserId
    role: Role
    session_id: SessionId  # sid: the token is revoked when this session ends
    token_id: str  # jti
    expires_at: int  # epoch seconds


@dataclass(frozen=True)
class TokenParties:
    """The claims `iss` and `aud`."""

    issuer: str
    audience: str
