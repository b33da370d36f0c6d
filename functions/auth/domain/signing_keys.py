"""The keys of access tokens: which one signs, which is next, and which verify (RFC 7517).

    jwt/signing       {"keys": [the one that signs, the next]}   PrivateKey
    jwt/verification  {"keys": [all that verify]}                PublicKey

They are two secrets so that a function that verifies cannot sign. The next key verifies for a whole rotation before it
signs, so that by then every execution environment and every cache knows it. A key that no longer signs verifies until
the last token that it signed has expired.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict

JWKS_MAX_AGE_SECONDS = 300  # for which clients may cache the keys that verify


class PrivateKey(TypedDict):
    """As stored in the secret `jwt/signing`: PKCS #8 of a P-256 key."""

    kid: str
    pem: str


class PublicKey(TypedDict):
    """A JWK (RFC 7517), as stored in the secret `jwt/verification`."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str
    publishedAt: NotRequired[int]  # epoch seconds: see `published`
    retiredAt: NotRequired[int]


def rotated(keys: Sequence[PrivateKey], fresh: PrivateKey) -> list[PrivateKey]:
    """The next key signs and `fresh` becomes the next. A key without a next one keeps signing: no verifier knows
    `fresh` yet."""
    return [*(keys[1:] or keys), fresh]


def follows(keys: Sequence[PrivateKey], before: Sequence[PrivateKey]) -> bool:
    """Whether `keys` is the result of a rotation of `before`."""
    return keys[0]["kid"] == (before[1:] or before)[0]["kid"]


def published(
    before: Sequence[PublicKey], in_use: Sequence[PublicKey], now: datetime, keep: timedelta
) -> list[PublicKey]:
    """The keys that verify: those in use, after those that went out of use less than `keep` ago.

    `publishedAt` and `retiredAt` say in epoch seconds since when a key has been published and since when it has been
    out of use; a key without `publishedAt` is older than that field. Calling it again on its result changes nothing.
    """
    seconds, used = int(now.timestamp()), {key["kid"] for key in in_use}
    since = {key["kid"]: key.get("publishedAt", 0) for key in before}
    retired = [PublicKey(**{"retiredAt": seconds, **key}) for key in before if key["kid"] not in used]
    return [
        *(key for key in retired if seconds < key["retiredAt"] + keep.total_seconds()),
        *(PublicKey(**{**key, "publishedAt": since.get(key["kid"], seconds)}) for key in in_use),
    ]
