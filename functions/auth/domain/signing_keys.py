"""The keys of access tokens: which one signs, which is next, and which verify (RFC 7517).

    jwt/signing       {"keys": [the one that signs, the next]}   PrivateKey
    jwt/verification  {"keys": [all that verify]}                PublicKey

They are apart so that what verifies cannot sign. The next key verifies a whole rotation before it signs, so that by
then every container and every cache knows it; one that no longer signs does until the last token it signed has ended.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from functions.auth.adapters.access_token_jwt import PrivateKey, PublicKey


def new_key() -> PrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return PrivateKey(kid=token_hex(4), pem=pem)


def public_half(key: PrivateKey) -> PublicKey:
    private = cast(ec.EllipticCurvePrivateKey, load_pem_private_key(key["pem"].encode(), password=None))
    point = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return PublicKey(
        kty=point["kty"], crv=point["crv"], x=point["x"], y=point["y"], kid=key["kid"], use="sig", alg="ES256"
    )


def rotated(keys: Sequence[PrivateKey], fresh: PrivateKey) -> list[PrivateKey]:
    """The next key signs, and `fresh` is the next. A key without a next one signs on: nobody knows `fresh` yet."""
    return [*(keys[1:] or keys), fresh]


def follows(keys: Sequence[PrivateKey], before: Sequence[PrivateKey]) -> bool:
    """Whether `keys` is what a rotation makes of `before`."""
    return keys[0]["kid"] == (before[1:] or before)[0]["kid"]


def published(
    before: Sequence[PublicKey], in_use: Sequence[PublicKey], now: datetime, keep: timedelta
) -> list[PublicKey]:
    """What is to verify: the keys in use, after those that have been out of use for less than `keep`.

    A key says since when it has been there and since when out of use: `publishedAt` and `retiredAt`, in epoch seconds;
    one that was there before these were written has been for ever. The same again changes nothing.
    """
    seconds, used = int(now.timestamp()), {key["kid"] for key in in_use}
    since = {key["kid"]: key.get("publishedAt", 0) for key in before}
    retired = [PublicKey(**{"retiredAt": seconds, **key}) for key in before if key["kid"] not in used]
    return [
        *(key for key in retired if seconds < key["retiredAt"] + keep.total_seconds()),
        *(PublicKey(**{**key, "publishedAt": since.get(key["kid"], seconds)}) for key in in_use),
    ]
