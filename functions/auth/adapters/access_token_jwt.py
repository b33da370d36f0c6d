"""Access tokens: JWTs signed with ES256 (`docs/api.md`, Auth; RFC 7519, RFC 8725)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NotRequired, TypedDict, cast
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from common.domain.shared_errors import TokenExpired, TokenInvalid, TokenRevoked
from functions.auth.domain.account import Role

ALGORITHM = "ES256"
CLAIMS = ("sub", "role", "sid", "jti", "iat", "exp", "iss", "aud")
MAX_LENGTH = 8192  # characters; one of ours has about 500

# A JWS of ES256 (RFC 7515, 7.1; RFC 7518, 3.4) in the one spelling an encoder gives it: decoders also take padding, and
# the last of a signature's 86 characters has four bits to spare.
_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]", re.ASCII)


class PrivateKey(TypedDict):
    """As kept in the secret `jwt/signing`: PKCS #8 of a P-256 key."""

    kid: str
    pem: str


class PublicKey(TypedDict):
    """A JWK (RFC 7517), as kept in the secret `jwt/verification`."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str
    publishedAt: NotRequired[int]  # epoch seconds: see `signing_keys`
    retiredAt: NotRequired[int]


@dataclass(frozen=True)
class Claims:
    user_id: UUID
    role: Role
    session_id: UUID  # sid: what the token ends with
    token_id: str  # jti
    expires_at: int  # epoch seconds


@dataclass(frozen=True)
class Parties:
    """Who issues tokens, and for whom: the claims `iss` and `aud`."""

    issuer: str
    audience: str


class AccessTokenSigner:
    """The key is asked for at every signature, so that a rotation needs no new container."""

    def __init__(self, key: Callable[[], PrivateKey], parties: Parties, seconds: int) -> None:
        self._key = key
        self._parties = parties
        self.seconds = seconds

    def sign(self, user_id: UUID, role: Role, session_id: UUID, token_id: UUID, now: datetime) -> str:
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
    """`revoked` is asked last, of tokens that are good otherwise."""

    def __init__(
        self, keys: Callable[[], Sequence[PublicKey]], parties: Parties, revoked: Callable[[str], bool]
    ) -> None:
        self._keys = keys
        self._parties = parties
        self._revoked = revoked

    def verify(self, token: str) -> Claims:
        """Raises TokenInvalid, TokenExpired (of a token that is genuine) or TokenRevoked (GW-025).

        Without leeway: hosts agree to the millisecond (Amazon Time Sync), and `iat` is rounded down.
        """
        if len(token) > MAX_LENGTH or not _SHAPE.fullmatch(token):
            raise TokenInvalid()
        key = self._key(_key_id(token))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],  # never what the token's header says
                issuer=self._parties.issuer,
                audience=self._parties.audience,
                options={"require": list(CLAIMS), "strict_aud": True},
            )
            read = Claims(
                _id(claims["sub"]),
                Role(claims["role"]),
                _id(claims["sid"]),
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
    """The `kid` of the header, which anybody may have written."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.InvalidTokenError, ValueError, RecursionError):  # the last for JSON nested a thousand deep
        kid = None
    if not isinstance(kid, str):
        raise TokenInvalid()
    return kid


def _id(claim: object) -> UUID:
    """ValueError for what is no UUID as we write them."""
    if not isinstance(claim, str) or str(UUID(claim)) != claim:
        raise ValueError("not an id")
    return UUID(claim)


@lru_cache(maxsize=2)
def _private_key(pem: str) -> EllipticCurvePrivateKey:
    return cast(EllipticCurvePrivateKey, load_pem_private_key(pem.encode(), password=None))


@lru_cache(maxsize=8)
def _public_key(jwk: tuple[tuple[str, object], ...]) -> jwt.PyJWK:
    return jwt.PyJWK(dict(jwk), algorithm=ALGORITHM)
