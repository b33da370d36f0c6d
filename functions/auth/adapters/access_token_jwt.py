"""Access tokens: JWTs signed with ES256 (`docs/api.md`, Auth; RFC 7519, RFC 8725)."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import cast
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import TokenExpired, TokenInvalid, TokenRevoked
from functions.auth.domain.account import Role
from functions.auth.domain.signing_keys import PrivateKey, PublicKey
from functions.auth.domain.token_claims import TokenClaims, TokenParties

ALGORITHM = "ES256"
CLAIMS = ("sub", "role", "sid", "jti", "iat", "exp", "iss", "aud")
MAX_LENGTH = 8192  # characters; our tokens have about 500

# A JWS of ES256 (RFC 7515, 7.1; RFC 7518, 3.4) exactly as an encoder writes it: decoders also accept padding, and the
# last of a signature's 86 characters has four unused bits.
_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]", re.ASCII)


class AccessTokenSigner:
    """`key` is read for every signature, so that a rotation needs no new execution environment."""

    def __init__(self, key: Callable[[], PrivateKey], parties: TokenParties, seconds: int) -> None:
        self._key = key
        self._parties = parties
        self.seconds = seconds

    def sign(self, user_id: UserId, role: Role, session_id: SessionId, token_id: UUID, now: datetime) -> str:
        key, issued_at = self._key(), int(now.timestamp())
        claims = {
            "sub": str(user_id),
            "role": role.value,
            "sid": str(session_id),
            "jti": str(token_id),
            "iat": issued_at,
            "exp": issued_at + self.seconds,
            "iss": self._parties.issuer,
            "aud": self._parties.audience,
        }
        return jwt.encode(claims, _private_key(key["pem"]), algorithm=ALGORITHM, headers={"kid": key["kid"]})


class AccessTokenVerifier:
    """`revoked` is called last, for tokens that are valid otherwise."""

    def __init__(
        self, keys: Callable[[], Sequence[PublicKey]], parties: TokenParties, revoked: Callable[[str], bool]
    ) -> None:
        self._keys = keys
        self._parties = parties
        self._revoked = revoked

    def verify(self, token: str) -> TokenClaims:
        """Raises TokenInvalid, TokenExpired (for a genuine token) or TokenRevoked (GW-025).

        No leeway: hosts' clocks agree to the millisecond (Amazon Time Sync), and `iat` is rounded down.
        """
        if len(token) > MAX_LENGTH or not _SHAPE.fullmatch(token):
            raise TokenInvalid()
        key = self._key(_key_id(token))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],  # never the one in the token's header
                issuer=self._parties.issuer,
                audience=self._parties.audience,
                options={"require": list(CLAIMS), "strict_aud": True},
            )
            read = TokenClaims(
                UserId(_id(claims["sub"])),
                Role(claims["role"]),
                SessionId(_id(claims["sid"])),
                str(_id(claims["jti"])),
                int(claims["exp"]),
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired() from None
        except (jwt.InvalidTokenError, ValueError):
            raise TokenInvalid() from None
        if self._revoked(read.token_id):
            raise TokenRevoked()
        return read

    def _key(self, kid: str) -> jwt.PyJWK:
        for key in self._keys():
            if key["kid"] == kid:
                return _public_key(tuple(key.items()))
        raise TokenInvalid()


def _key_id(token: str) -> str:
    """The `kid` of the header, which is not verified yet."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.InvalidTokenError, ValueError, RecursionError):  # RecursionError: JSON nested a thousand deep
        kid = None
    if not isinstance(kid, str):
        raise TokenInvalid()
    return kid


def _id(claim: object) -> UUID:
    """Raises ValueError unless the claim is a UUID in our spelling."""
    if not isinstance(claim, str) or str(UUID(claim)) != claim:
        raise ValueError("not an id")
    return UUID(claim)


@lru_cache(maxsize=2)
def _private_key(pem: str) -> EllipticCurvePrivateKey:
    return cast(EllipticCurvePrivateKey, load_pem_private_key(pem.encode(), password=None))


@lru_cache(maxsize=8)
def _public_key(jwk: tuple[tuple[str, object], ...]) -> jwt.PyJWK:
    return jwt.PyJWK(dict(jwk), algorithm=ALGORITHM)
