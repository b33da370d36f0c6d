"""What the authorizer reports to the gateway about a caller (GW-002, GW-025)."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import DomainError, TokenExpired, TokenInvalid, TokenRevoked
from common.http.error_catalogue import ERROR_CATALOGUE
from common.runtime.log import log
from functions.auth.domain.account import Role
from functions.auth.domain.token_claims import TokenClaims
from functions.auth.handlers import authorize_request

SAMPLE = Path(__file__).parents[2] / "events" / "authorize_request.json"
CLAIMS = TokenClaims(UserId(UUID(int=7)), Role.USER, SessionId(UUID(int=9)), "token-7", 1_777_636_800)
API = "arn:aws:execute-api:ap-northeast-2:123456789012:abcdef1234/prod/*"

Authorize = Callable[..., dict[str, Any]]


class FakeVerifier:
    """Accepts the token `good`; raises `otherwise` for any other."""

    def __init__(self) -> None:
        self.otherwise: Exception = TokenInvalid()

    def verify(self, token: str) -> TokenClaims:
        if token == "good":
            return CLAIMS
        raise self.otherwise


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeVerifier:
    verifier = FakeVerifier()
    monkeypatch.setattr(authorize_request, "access_token_verifier", lambda: verifier)
    return verifier


@pytest.fixture
def authorize(fake: FakeVerifier) -> Authorize:
    def authorize(**headers: str) -> dict[str, Any]:
        event = json.loads(SAMPLE.read_text(encoding="utf-8"))
        event["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
        return authorize_request.handler(event, None)

    assert fake is not None
    return authorize


def test_a_valid_token_allows_the_whole_api_and_passes_the_user_on(authorize: Authorize) -> None:
    assert authorize(Authorization="Bearer good") == {
        "principalId": str(CLAIMS.user_id),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": API}],
        },
        "context": {
            "sub": str(CLAIMS.user_id),
            "role": "USER",
            "sid": str(CLAIMS.session_id),
            "jti": "token-7",
            "exp": 1_777_636_800,
        },
    }


@pytest.mark.parametrize("header", ["authorization", "AUTHORIZATION", "Authorization"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_the_header_name_and_the_scheme_are_case_insensitive(authorize: Authorize, header: str, scheme: str) -> None:
    assert effect(authorize(**{header: f"{scheme} good"})) == "Allow"


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer "}, {"Authorization": "Basic good"}]
)
def test_a_request_without_a_bearer_token_is_denied_as_token_missing(
    authorize: Authorize, headers: dict[str, str]
) -> None:
    answer = authorize(**headers)
    assert (effect(answer), answer["context"]["code"]) == ("Deny", "TOKEN_MISSING")


@pytest.mark.parametrize("problem", [TokenInvalid, TokenExpired, TokenRevoked])
def test_an_invalid_token_is_denied_with_its_reason(
    authorize: Authorize, fake: FakeVerifier, problem: type[DomainError]
) -> None:
    fake.otherwise = problem()
    answer = authorize(Authorization="Bearer bad")
    assert answer["policyDocument"]["Statement"][0] == {
        "Action": "execute-api:Invoke",
        "Effect": "Deny",
        "Resource": API,
    }
    assert answer["context"]["code"] == problem.code


def test_a_denial_has_the_callers_language(authorize: Authorize) -> None:
    assert authorize()["context"]["message"] == ERROR_CATALOGUE["TOKEN_MISSING"].ko
    assert authorize(Accept_Language="en-US,en;q=0.9")["context"]["message"] == ERROR_CATALOGUE["TOKEN_MISSING"].en


@pytest.mark.parametrize("offered", ["8c5f9f0e-1111-4222-8333-444455556666", '","code":"FORGED', "x" * 10_000])
def test_a_denial_stays_valid_json_whatever_the_caller_sends(authorize: Authorize, offered: str) -> None:
    context = authorize(X_Trace_Id=offered)["context"]
    assert sorted(context) == ["code", "message", "timestamp", "traceId"]
    pasted = "{" + ",".join(f'"{name}":"{value}"' for name, value in context.items()) + "}"
    assert json.loads(pasted) == context


def test_a_denial_carries_the_callers_trace_id_or_the_gateways(authorize: Authorize) -> None:
    offered = "8c5f9f0e-1111-4222-8333-444455556666"
    assert authorize(X_Trace_Id=offered)["context"]["traceId"] == offered
    assert authorize(X_Trace_Id="no uuid")["context"]["traceId"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def test_the_authorizer_fails_closed_when_a_token_cannot_be_checked(authorize: Authorize, fake: FakeVerifier) -> None:
    fake.otherwise = ConnectionError("Redis is unavailable")
    with pytest.raises(ConnectionError):
        authorize(Authorization="Bearer whatever")


@pytest.mark.parametrize("token", ["good", "bad-and-secret"])
def test_a_decision_is_one_log_record_without_the_token(
    authorize: Authorize, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    output = StringIO()
    monkeypatch.setattr(log.registered_handler, "stream", output)
    authorize(Authorization=f"Bearer {token}")
    (line,) = output.getvalue().splitlines()
    assert json.loads(line)["outcome"] == ("ALLOWED" if token == "good" else "TOKEN_INVALID")
    assert token not in line


def effect(answer: dict[str, Any]) -> str:
    found: str = answer["policyDocument"]["Statement"][0]["Effect"]
    return found
