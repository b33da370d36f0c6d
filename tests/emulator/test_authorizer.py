import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from emulator.authorizer import Authorizers, evaluate
from emulator.proxy_event import Request, proxy_event
from emulator.runtime import InvokeResult, Limits
from emulator.stack import Stack
from tests.emulator.live_emulator import LiveEmulator

Emulate = Callable[..., LiveEmulator]
ARN = "arn:aws:execute-api:ap-northeast-2:000000000000:api/v1/GET/seats/1"


def get(live: LiveEmulator, token: str, path: str = "/uncached/7") -> httpx.Response:
    return live.http.get(path, headers={"Authorization": token})


def authorizer_calls(live: LiveEmulator) -> int:
    return live.runtime.stats()["AuthorizerFunction"].invocations


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(effect: str, resource: Any, action: Any = "execute-api:Invoke", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def test_an_authorizer_gets_the_event_without_body_and_its_context_reaches_the_function_as_text(
    live: LiveEmulator,
) -> None:
    context = get(live, "allow").json()["requestContext"]["authorizer"]
    assert isinstance(context.pop("integrationLatency"), int)
    assert int(context.pop("calls")) > 0
    assert context.pop("event").split() == [
        *("headers", "httpMethod", "methodArn", "multiValueHeaders", "multiValueQueryStringParameters", "path"),
        *("pathParameters", "queryStringParameters", "requestContext", "resource", "stageVariables", "type"),
    ]
    assert context == {"principalId": "someone", "role": "USER", "vip": "true"}


def test_an_explicit_deny_overrides_an_allow_and_has_the_templates_response(live: LiveEmulator) -> None:
    response = get(live, "deny")
    assert response.status_code == 403
    assert response.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert response.json() == {
        "type": "ACCESS_DENIED",
        "message": "User is not authorized to access this resource with an explicit deny",
        "role": "USER",
        "id": response.headers["x-amzn-requestid"],
        "path": "/v1/uncached/7",
        "colour": "blue",
        "nothing": "",
    }
    assert response.headers["x-literal"] == "always"
    assert response.headers["x-role"] == "USER"
    assert response.headers["x-authorization"] == "deny"


def test_a_policy_without_the_method_denies(live: LiveEmulator) -> None:
    response = get(live, "elsewhere")
    assert response.status_code == 403
    assert response.json()["message"] == "User is not authorized to access this resource"


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}])
def test_without_its_identity_source_the_authorizer_is_not_called(live: LiveEmulator, headers: dict[str, str]) -> None:
    before = authorizer_calls(live)
    response = live.http.get("/uncached/7", headers=headers)
    assert (response.status_code, response.json()) == (401, {"message": "Unauthorized"})
    assert response.headers["x-amzn-errortype"] == "UnauthorizedException"
    assert authorizer_calls(live) == before


def test_the_exception_unauthorized_is_a_401(live: LiveEmulator) -> None:
    response = get(live, "unauthorized")
    assert (response.status_code, response.json()) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("crash", "AUTHORIZER_FAILURE"),
        ("nopolicy", "AUTHORIZER_CONFIGURATION_ERROR"),
        ("nested", "AUTHORIZER_CONFIGURATION_ERROR"),
        ("odd", "AUTHORIZER_CONFIGURATION_ERROR"),
    ],
)
def test_an_authorizer_that_fails_denies_access(live: LiveEmulator, token: str, kind: str) -> None:
    before = live.runtime.stats()["EchoFunction"].invocations
    response = get(live, token)
    assert (response.status_code, response.json()) == (500, {"code": kind})
    assert live.runtime.stats()["EchoFunction"].invocations == before


@pytest.mark.parametrize(
    ("token", "cause"),
    [
        ("crash", "the authorizer failed: "),
        ("nopolicy", "the authorizer Uncached: its response has no "),
        ("nested", "the authorizer Uncached: its context has a value "),
    ],
)
def test_an_authorizer_that_fails_is_in_its_log_with_the_cause(live: LiveEmulator, token: str, cause: str) -> None:
    request = get(live, token).headers["x-amzn-requestid"]
    lines = [(function, json.loads(line)) for function, about, line in live.lines if about == request]
    assert [function for function, _ in lines] == ["AuthorizerFunction"]
    assert lines[0][1]["cause"].startswith(cause)


def test_a_throttled_authorizer_is_in_its_log_as_throttled(emulate: Emulate) -> None:
    live = emulate(limits=Limits(environments=0, queue=0.01))
    response = get(live, "allow")
    assert (response.status_code, response.json()) == (500, {"code": "AUTHORIZER_CONFIGURATION_ERROR"})
    [line] = [json.loads(line) for _, about, line in live.lines if about == response.headers["x-amzn-requestid"]]
    assert line["cause"] == "the authorizer Uncached: throttled, ConcurrentInvocationLimitExceeded"


def test_an_authorizer_that_cannot_start_denies_access(live: LiveEmulator) -> None:
    response = get(live, "allow", "/broken-authorizer")
    assert (response.status_code, response.json()) == (500, {"code": "AUTHORIZER_FAILURE"})


def test_a_token_authorizer_gets_the_token_if_it_has_the_right_format(live: LiveEmulator) -> None:
    allowed = live.http.get("/token", headers={"X-Token": "allow"})
    assert allowed.json()["requestContext"]["authorizer"]["event"] == "authorizationToken methodArn type"
    before = authorizer_calls(live)
    assert live.http.get("/token", headers={"X-Token": "NOT-LOWER-CASE"}).status_code == 401
    assert live.http.get("/token").status_code == 401
    assert authorizer_calls(live) == before


def test_without_a_ttl_the_authorizer_is_called_for_every_request(live: LiveEmulator) -> None:
    before = authorizer_calls(live)
    for _ in range(3):
        assert get(live, "allow").status_code == 200
    assert authorizer_calls(live) - before == 3


def test_with_a_ttl_a_policy_is_cached_for_its_identity_and_evaluated_for_every_method(emulate: Emulate) -> None:
    live = emulate()
    assert get(live, "reading", "/cached/1").status_code == 200
    assert get(live, "reading", "/cached/2").status_code == 200
    assert live.http.post("/cached/1", headers={"Authorization": "reading"}).status_code == 403
    assert authorizer_calls(live) == 1
    assert get(live, "deny", "/cached/1").status_code == 403
    assert authorizer_calls(live) == 2
    assert get(live, "crash", "/cached/1").status_code == 500
    assert get(live, "crash", "/cached/1").status_code == 500
    assert authorizer_calls(live) == 4


def test_a_policy_is_cached_for_its_ttl_and_no_longer(stack: Stack) -> None:
    api, now, calls = stack.apis[0], 0.0, 0
    ttl = api.authorizers["Cached"].ttl
    request = Request("GET", "/cached/1", "", [("Authorization", "a-token")], b"", "127.0.0.1")
    event = proxy_event(api, request, "/cached/{id}", {"id": "1"}, {})

    async def allow(_function: str, _payload: bytes) -> InvokeResult:
        nonlocal calls
        calls += 1
        answer = {"principalId": "x", "policyDocument": policy(statement("Allow", "*"))}
        return InvokeResult(json.dumps(answer).encode(), None, "id")

    authorizers = Authorizers(api, allow, lambda: now)
    for time, times in ((0.0, 1), (ttl - 0.001, 1), (ttl, 2)):
        now = time
        asyncio.run(authorizers.authorize("Cached", request, event))
        assert calls == times


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (policy(), None),
        (policy(statement("Allow", ARN)), True),
        (policy(statement("Allow", "*"), statement("Deny", "*/GET/seats/*")), False),
        (policy(statement("Deny", "*/POST/*"), statement("Allow", [ARN])), True),
        (policy(statement("Allow", "*/GET/seats/?")), True),
        (policy(statement("Allow", "*/GET/seats")), None),
        (policy(statement("Allow", "*", action="execute-api:*")), True),
        (policy(statement("Allow", "*", action=["s3:GetObject", "EXECUTE-API:invoke"])), True),
        (policy(statement("Allow", "*", action="s3:*")), None),
        (policy(statement("Allow", "*", Condition={"Bool": {"aws:SecureTransport": "true"}})), None),
        (policy(statement("Deny", "*", Condition={"Bool": {"x": "y"}}), statement("Allow", "*")), False),
        ({"Statement": statement("Allow", "*")}, True),
    ],
)
def test_only_an_explicit_allow_allows(document: dict[str, Any], verdict: bool | None) -> None:
    assert evaluate(document, ARN) is verdict, json.dumps(document)
