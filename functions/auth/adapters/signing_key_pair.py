"""Pairs of keys for access tokens, made and checked by cryptography and PyJWT."""

from secrets import token_hex
from typing import cast

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from functions.auth.adapters.access_token_jwt import ALGORITHM
from functions.auth.domain.signing_keys import PrivateKey, PublicKey


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


class SigningKeyPairs:
    """What a rotation does with keys."""

    def new(self) -> PrivateKey:
        return new_key()

    def public_half(self, key: PrivateKey) -> PublicKey:
        return public_half(key)

    def check(self, private: PrivateKey, public: PublicKey) -> None:
        """Sign with one, verify with the other. Raises `jwt.PyJWTError` if they do not belong together."""
        signed = jwt.encode({}, private["pem"], algorithm=ALGORITHM)
        jwt.decode(signed, jwt.PyJWK(dict(public)), algorithms=[ALGORITHM])
