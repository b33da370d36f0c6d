"""Which tokens the authorizer accepts; `test_auth_token_attacks.py` has those that it rejects (GW-002)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest

from common.domain.clock import utc_now
from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import DomainError, TokenInvalid, TokenRevoked
from functions.auth.adapters.access_token_jwt import CLAIMS, AccessTokenSigner, AccessTokenVerifier
from functions.auth.domain.account import Role
from functions.auth.domain.signing_keys import PrivateKey, PublicKey
from functions.auth.domain.token_claims import TokenClaims, TokenParties
from local.seed.secrets import load_or_make, make

USER = UserId(UUID(int=7))
TOKEN_ID = UUID(int=8)
SESSION = SessionId(UUID(int=9))
PARTIES = TokenParties("ticketing", "ticketing-api")
SECRETS = make()
SIGNING: PrivateKey = SECRETS["jwt/signing"]["keys"][0]
VERIFICATION: list[PublicKey] = SECRETS["jwt/verification"]["keys"]


def verifier(
    keys: Callable[[], list[PublicKey]] = lambda: VERIFICATION, revoked: Callable[[str], bool] = lambda _: False
) -> AccessTokenVerifier:
    return AccessTokenVerifier(keys, PARTIES, revoked)


def signed(seconds: int = 3600, parties: TokenParties = PARTIES, key: PrivateKey = SIGNING) -> str:
    return AccessTokenSigner(lambda: key, parties, seconds).sign(USER, Role.USER, SESSION, TOKEN_ID, utc_now())


def error_of(token: str, by: AccessTokenVerifier | None = None) -> type[DomainError]:
    with pytest.raises(DomainError) as error:
        (by or verifier()).verify(token)
    return type(error.value)


def test_a_new_token_is_valid_for_its_user_and_role() -> None:
    token = signed(seconds=60)
    assert verifier().verify(token) == TokenClaims(USER, Role.USER, SESSION, str(TOKEN_ID), claims_of(token)["exp"])


def claims_of(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return read


def test_a_token_has_the_documented_claims_and_its_lifetime() -> None:
    token = signed(seconds=3600)
    read = claims_of(token)
    assert sorted(read) == sorted(CLAIMS)
    assert read["exp"] - read["iat"] == 3600
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": SIGNING["kid"], "typ": "JWT"}


def test_a_token_whose_id_is_blacklisted_is_revoked() -> None:
    assert error_of(signed(), verifier(revoked=lambda token_id: token_id == str(TOKEN_ID))) is TokenRevoked


def test_the_blacklist_is_read_for_valid_tokens_only() -> None:
    looked_up: list[str] = []

    def revoked(token_id: str) -> bool:
        looked_up.append(token_id)
        return False

    by = verifier(revoked=revoked)
    error_of(signed()[:-10], by)
    error_of(signed(seconds=-1), by)
    assert looked_up == []


def test_both_keys_verify_while_one_replaces_the_other() -> None:
    newer = make()
    keys = [*VERIFICATION, *newer["jwt/verification"]["keys"]]
    by = verifier(keys=lambda: keys)
    assert by.verify(signed()).user_id == by.verify(signed(key=newer["jwt/signing"]["keys"][0])).user_id
    del keys[0]
    assert error_of(signed(), by) is TokenInvalid


def test_a_broken_verification_key_does_not_make_the_token_invalid() -> None:
    broken: Any = {**VERIFICATION[0], "x": "!"}
    with pytest.raises(jwt.PyJWTError):
        verifier(keys=lambda: [broken]).verify(signed())


def test_local_keys_survive_a_restart_and_public_keys_contain_nothing_private(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    assert load_or_make(path)["jwt/signing"] == load_or_make(path)["jwt/signing"]
    assert sorted(VERIFICATION[0]) == ["alg", "crv", "kid", "kty", "use", "x", "y"]
