"""Only our own tokens are accepted, and every other raises the right error (GW-002, GW-025; RFC 8725).

`tests/e2e/test_token_attacks.py` sends the same forgeries over HTTP.
"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest

from common.domain.clock import utc_now
from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import DomainError, TokenExpired, TokenInvalid, TokenMissing, TokenRevoked
from functions.auth.adapters.access_token_jwt import CLAIMS, AccessTokenSigner, AccessTokenVerifier
from functions.auth.domain.account import Role
from functions.auth.domain.token_claims import TokenParties
from functions.auth.handlers import authorize_request
from local.seed.secrets import make
from tests.support.clients.forged_tokens import forgeries, mirrored, not_ascii, segment, too_long

SAMPLE = Path(__file__).parents[2] / "events" / "authorize_request.json"
SECRETS = make()
SIGNING, NEXT = SECRETS["jwt/signing"]["keys"]
KEYS: Any = SECRETS["jwt/verification"]["keys"]
PARTIES = TokenParties("ticketing", "ticketing-api")
USER, SESSION, TOKEN_ID = UserId(UUID(int=7)), SessionId(UUID(int=8)), UUID(int=9)
NOW = int(utc_now().timestamp())
GOOD = AccessTokenSigner(lambda: SIGNING, PARTIES, 36_000).sign(USER, Role.USER, SESSION, TOKEN_ID, utc_now())
CLAIMS_OF_GOOD: dict[str, Any] = jwt.decode(GOOD, options={"verify_signature": False})

FORGERIES = dict(forgeries(GOOD, KEYS))
ATTACKS = {**FORGERIES, **dict(too_long(GOOD)), **dict(not_ascii(GOOD)), "a lone surrogate": "\ud800" + GOOD}


def verifier(revoked: tuple[str, ...] = ()) -> AccessTokenVerifier:
    return AccessTokenVerifier(lambda: KEYS, PARTIES, lambda token_id: token_id in revoked)


def outcome(token: str, by: AccessTokenVerifier | None = None) -> type[DomainError] | Role:
    """The role of a token that is accepted, or why it is rejected."""
    try:
        return (by or verifier()).verify(token).role
    except DomainError as error:
        return type(error)


def signed(text: str, **header: Any) -> str:
    """A token with this payload, signed with our key."""
    whole = {"alg": "ES256", "kid": SIGNING["kid"], "typ": "JWT", **header}
    signing_input = f"{segment(whole)}.{segment(text.encode())}"
    es256 = jwt.get_algorithm_by_name("ES256")
    return f"{signing_input}.{segment(es256.sign(signing_input.encode(), es256.prepare_key(SIGNING['pem'])))}"


def changed(**claims: Any) -> str:
    """Signed with our key, with other claims; `...` removes one."""
    whole = {**CLAIMS_OF_GOOD, **claims}
    return signed(json.dumps({name: value for name, value in whole.items() if value is not ...}))


def spliced(text: str) -> str:
    """Signed with our key, with `text` after the last claim."""
    return signed(json.dumps(CLAIMS_OF_GOOD)[:-1] + text + "}")


def test_the_token_that_the_forgeries_are_made_from_is_valid() -> None:
    assert outcome(GOOD) is Role.USER
    assert outcome(changed()) is Role.USER
    assert len(FORGERIES) > 300


@pytest.mark.parametrize("name", ATTACKS)
def test_a_forged_token_is_invalid(name: str) -> None:
    assert outcome(ATTACKS[name]) is TokenInvalid


@pytest.mark.parametrize("length", [0, *range(1, len(GOOD), 7), len(GOOD) - 1])
def test_no_part_of_a_token_is_valid(length: int) -> None:
    assert outcome(GOOD[:length]) is TokenInvalid


@pytest.mark.parametrize("name", ATTACKS)
def test_the_authorizer_denies_a_forged_token_and_never_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorize_request, "access_token_verifier", verifier)
    event = json.loads(SAMPLE.read_text(encoding="utf-8"))
    event["headers"]["Authorization"] = f"Bearer {ATTACKS[name]}"
    decision = authorize_request.handler(event, None)
    assert decision["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    blank = not ATTACKS[name].strip()
    assert decision["context"]["code"] == (TokenMissing if blank else TokenInvalid).code


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_missing_or_malformed_claim_makes_a_token_invalid(claim: str) -> None:
    for value in (..., None, [], {}, [CLAIMS_OF_GOOD[claim]], {"a": 1}):
        assert outcome(changed(**{claim: value})) is TokenInvalid


@pytest.mark.parametrize(
    "token",
    [
        *[
            changed(**{claim: value})
            for claim in ("sub", "sid", "jti")
            for value in ("", "x", "' OR 1=1", 7, True, 1.5)
        ],
        *[changed(sub=text) for text in (USER.hex, f"{{{USER}}}", f"urn:uuid:{USER}", f" {USER}", f"{USER}\x00")],
        changed(sub=str(UUID(int=0xA)).upper()),
        *[changed(role=value) for value in ("", "ROOT", "user", "ADMIN ", ["ADMIN"], {"ADMIN": True}, 1, True)],
        *[changed(iss=value) for value in ("", "another", "ticketing ", ["ticketing"], 1)],
        *[changed(aud=value) for value in ("", "another", ["ticketing-api"], ["x", "ticketing-api"], [[]], 1)],
        *[changed(exp=value) for value in ("soon", "", "NaN", "1e400")],
        *[changed(**{claim: NOW + 3600}) for claim in ("iat", "nbf")],
        *[changed(nbf=value) for value in ("soon", [], {}, "Infinity")],
        *[spliced(f', "{claim}": {literal}') for claim in ("exp", "nbf") for literal in ("NaN", "1e400", "-1e400")],
        changed(jti="j" * 5000),
        changed(jti="\ud800"),
        *[signed(text) for text in ("", "null", "[]", '"claims"', "1", "{", "{}", "\x00")],
        signed(json.dumps(CLAIMS_OF_GOOD), crit=["exp"], exp=1),
        signed(json.dumps(CLAIMS_OF_GOOD), crit=["b64"], b64=False),
        signed(json.dumps(CLAIMS_OF_GOOD), crit=[]),
        signed(json.dumps(CLAIMS_OF_GOOD), kid=NEXT["kid"]),
        signed(json.dumps(CLAIMS_OF_GOOD), alg="ES384"),
        signed(json.dumps(CLAIMS_OF_GOOD), alg="HS256"),
        signed(json.dumps(CLAIMS_OF_GOOD), alg="none"),
        signed(json.dumps(CLAIMS_OF_GOOD), x="x" * 8000),
    ],
)
def test_a_token_signed_with_our_key_is_still_read_strictly(token: str) -> None:
    assert outcome(token) is TokenInvalid


@pytest.mark.parametrize(
    "exp", [NOW, NOW - 1, NOW - 3600, 0, -1], ids=["now", "a second ago", "an hour ago", "1970", "before 1970"]
)
def test_a_genuine_token_past_its_time_is_expired_and_a_forged_one_invalid(exp: int) -> None:
    expired = changed(exp=exp)
    assert outcome(expired) is TokenExpired
    assert outcome(expired[:-10]) is TokenInvalid
    assert {outcome(token) for _, token in forgeries(expired, KEYS)} == {TokenInvalid}


def test_the_last_of_two_equal_claims_counts() -> None:
    """RFC 7519, 4: as in JSON. Writing such a token needs our key."""
    assert outcome(spliced(', "role": "ADMIN"')) is Role.ADMIN
    assert outcome(spliced(', "exp": 1')) is TokenExpired
    assert outcome(spliced(', "sub": "x"')) is TokenInvalid


def test_a_mirrored_signature_is_revoked_with_its_token() -> None:
    """ECDSA accepts (r, n - s) for (r, s). It is the same token in other characters, with the same jti."""
    assert mirrored(GOOD) != GOOD
    assert verifier().verify(mirrored(GOOD)) == verifier().verify(GOOD)
    assert outcome(mirrored(GOOD), verifier(revoked=(str(TOKEN_ID),))) is TokenRevoked
