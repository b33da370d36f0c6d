"""What the authorizer takes for a token of ours, and what it does not (GW-002, GW-025; RFC 8725)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.clock import new_id, utc_now
from common.problem import TOKEN_EXPIRED, TOKEN_INVALID, TOKEN_REVOKED, Problem, Refusal
from functions.auth.access_token import (
    ALGORITHM,
    CLAIMS,
    MAX_LENGTH,
    AccessTokenSigner,
    AccessTokenVerifier,
    Claims,
    Parties,
    PrivateKey,
    PublicKey,
)
from functions.auth.account import Role
from seed.secrets import kept, make

USER = UUID(int=7)
TOKEN_ID = UUID(int=8)
PARTIES = Parties("ticketing", "ticketing-api")
SECRETS = make()
SIGNING: PrivateKey = SECRETS["jwt/signing"]["keys"][0]
VERIFICATION: list[PublicKey] = SECRETS["jwt/verification"]["keys"]
KEY = jwt.PyJWK(dict(VERIFICATION[0])).key


def verifier(
    keys: Callable[[], list[PublicKey]] = lambda: VERIFICATION, revoked: Callable[[str], bool] = lambda _: False
) -> AccessTokenVerifier:
    return AccessTokenVerifier(keys, PARTIES, revoked)


def signed(seconds: int = 3600, parties: Parties = PARTIES, key: PrivateKey = SIGNING) -> str:
    return AccessTokenSigner(lambda: key, parties, seconds, lambda: TOKEN_ID).sign(USER, Role.USER, utc_now())


def claims(**changed: Any) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(signed(), options={"verify_signature": False})
    return {name: value for name, value in {**read, **changed}.items() if value is not None}


def forged(payload: dict[str, Any], key: Any = SIGNING["pem"], algorithm: str = ALGORITHM, **header: Any) -> str:
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": SIGNING["kid"], **header})


def segment(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unsigned(header: bytes) -> str:
    return f"{segment(header)}.{segment(json.dumps(claims()).encode())}."


def with_public_key_as_hmac_secret() -> str:
    # By hand: PyJWT itself refuses to sign so.
    pem = KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = segment(json.dumps({"alg": "HS256", "kid": SIGNING["kid"]}).encode())
    signing_input = f"{header}.{segment(json.dumps(claims()).encode())}"
    return f"{signing_input}.{segment(hmac.new(pem, signing_input.encode(), hashlib.sha256).digest())}"


def with_another_payload() -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{segment(json.dumps(claims(role='ADMIN')).encode())}.{signature}"


def refused(token: str, by: AccessTokenVerifier | None = None) -> Problem:
    with pytest.raises(Refusal) as refusal:
        (by or verifier()).verify(token)
    return refusal.value.problem


def test_a_token_just_signed_is_good_for_its_user_and_role() -> None:
    token = signed(seconds=60)
    assert verifier().verify(token) == Claims(USER, Role.USER, str(TOKEN_ID), claims_of(token)["exp"])


def claims_of(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return read


def test_a_token_says_what_the_contract_says_and_lives_its_seconds() -> None:
    token = signed(seconds=3600)
    read = claims_of(token)
    assert sorted(read) == sorted(CLAIMS)
    assert read["exp"] - read["iat"] == 3600
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": SIGNING["kid"], "typ": "JWT"}


@pytest.mark.parametrize(
    "attack",
    [
        lambda: forged(claims(), key=None, algorithm="none"),
        lambda: unsigned(json.dumps({"alg": "None", "kid": SIGNING["kid"]}).encode()),
        with_public_key_as_hmac_secret,
        with_another_payload,
        lambda: forged(claims(), key=ec.generate_private_key(ec.SECP256R1())),
        lambda: forged(claims(), kid="unknown"),
        lambda: forged(claims(), kid="../../etc/passwd"),
        lambda: jwt.encode(claims(), SIGNING["pem"], algorithm=ALGORITHM),  # no kid
        lambda: forged(claims(), jku="https://attacker.example/jwks.json", kid="theirs"),
        lambda: forged(claims(), crit=["exp"], exp=1),
        lambda: forged(claims(aud="another-api")),
        lambda: forged(claims(iss="another-issuer")),
        lambda: forged(claims(role="ROOT")),
        lambda: forged(claims(sub="not-a-uuid")),
        lambda: forged(claims(iat=int((utc_now() + timedelta(hours=1)).timestamp()))),
        *[lambda name=name: forged(claims(**{name: None})) for name in CLAIMS],
        lambda: signed()[:-10],
        lambda: signed().rsplit(".", 1)[0],
        lambda: signed().rsplit(".", 1)[0] + ".",
        lambda: signed() + "A" * MAX_LENGTH,
        lambda: unsigned(b"[" * 5000),
        lambda: unsigned(b'{"kid":' + b"9" * 5000 + b"}"),
        lambda: "..",
        lambda: "null",
        lambda: "한글.한글.한글",
        lambda: "\ud800.a.b",
        lambda: "a b.c.d",
    ],
)
def test_a_forged_or_broken_token_is_invalid(attack: Callable[[], str]) -> None:
    assert refused(attack()) is TOKEN_INVALID


def test_a_genuine_token_past_its_time_is_expired() -> None:
    assert refused(signed(seconds=-1)) is TOKEN_EXPIRED


def test_an_expired_token_that_was_tampered_with_is_invalid() -> None:
    assert refused(signed(seconds=-1)[:-4] + "AAAA") is TOKEN_INVALID


def test_a_token_whose_id_is_blacklisted_is_revoked() -> None:
    assert refused(signed(), verifier(revoked=lambda token_id: token_id == str(TOKEN_ID))) is TOKEN_REVOKED


def test_the_blacklist_is_asked_of_good_tokens_only() -> None:
    asked: list[str] = []

    def revoked(token_id: str) -> bool:
        asked.append(token_id)
        return False

    by = verifier(revoked=revoked)
    refused(signed()[:-10], by)
    refused(signed(seconds=-1), by)
    assert asked == []


def test_both_keys_verify_while_one_replaces_the_other() -> None:
    newer = make()
    keys = [*VERIFICATION, *newer["jwt/verification"]["keys"]]
    by = verifier(keys=lambda: keys)
    assert by.verify(signed()).user_id == by.verify(signed(key=newer["jwt/signing"]["keys"][0])).user_id
    del keys[0]
    assert refused(signed(), by) is TOKEN_INVALID


def test_a_broken_key_of_ours_is_not_blamed_on_the_token() -> None:
    broken: Any = {**VERIFICATION[0], "x": "!"}
    with pytest.raises(jwt.PyJWTError):
        verifier(keys=lambda: [broken]).verify(signed())


def test_two_tokens_never_share_an_id() -> None:
    signer = AccessTokenSigner(lambda: SIGNING, PARTIES, 60, new_id)
    assert len({claims_of(signer.sign(USER, Role.USER, utc_now()))["jti"] for _ in range(50)}) == 50


def test_the_local_keys_outlive_a_restart_and_the_public_half_holds_nothing_private(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    assert kept(path)["jwt/signing"] == kept(path)["jwt/signing"]
    assert sorted(VERIFICATION[0]) == ["alg", "crv", "kid", "kty", "use", "x", "y"]
