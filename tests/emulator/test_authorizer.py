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


def asked(live: LiveEmulator, wish: str, path: str = "/asked/7") -> httpx.Response:
    return live.http.get(path, headers={"Authorization": wish})


def asks(live: LiveEmulator) -> int:
    return live.runtime.stats()["GuardFunction"].invocations


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(effect: str, resource: Any, action: Any = "execute-api:Invoke", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def test_an_authorizer_gets_the_event_without_body_and_its_context_reaches_the_function_as_text(
    live: LiveEmulator,
) -> None:
    context = asked(live, "allow").json()["requestContext"]["authorizer"]
    assert isinstance(context.pop("integrationLatency"), int)
    assert int(context.pop("calls")) > 0
    assert context.pop("event").split() == [
        *("headers", "httpMethod", "methodArn", "multiValueHeaders", "multiValueQueryStringParameters", "path"),
        *("pathParameters", "queryStringParameters", "requestContext", "resource", "stageVariables", "type"),
    ]
    assert context == {"principalId": "someone", "role": "USER", "vip": "true"}


def test_an_explicit_deny_beats_an_allow_and_the_template_says_how_it_looks(live: LiveEmulator) -> None:
    response = asked(live, "deny")
    assert response.status_code == 403
    assert response.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert response.json() == {
        "type": "ACCESS_DENIED",
        "message": "User is not authorized to access this resource with an explicit deny",
        "role": "USER",
        "id": response.headers["x-amzn-requestid"],
        "path": "/v1/asked/7",
        "colour": "blue",
        "nothing": "",
    }
    assert response.headers["x-literal"] == "always"
    assert response.headers["x-role"] == "USER"
    assert response.headers["x-asked-as"] == "deny"


def test_a_policy_that_does_not_speak_of_the_method_denies(live: LiveEmulator) -> None:
    response = asked(live, "elsewhere")
    assert response.status_code == 403
    assert response.json()["message"] == "User is not authorized to access this resource"


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}])
def test_without_its_identity_source_the_authorizer_is_not_asked(live: LiveEmulator, headers: dict[str, str]) -> None:
    before = asks(live)
    response = live.http.get("/asked/7", headers=headers)
    assert (response.status_code, response.json()) == (401, {"message": "Unauthorized"})
    assert response.headers["x-amzn-errortype"] == "UnauthorizedException"
    assert asks(live) == before


def test_the_exception_unauthorized_is_a_401(live: LiveEmulator) -> None:
    response = asked(live, "unauthorized")
    assert (response.status_code, response.json()) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        ("crash", "AUTHORIZER_FAILURE"),
        ("nopolicy", "AUTHORIZER_CONFIGURATION_ERROR"),
        ("nested", "AUTHORIZER_CONFIGURATION_ERROR"),
        ("odd", "AUTHORIZER_CONFIGURATION_ERROR"),
    ],
)
def test_an_authorizer_that_fails_lets_nobody_in(live: LiveEmulator, wish: str, kind: str) -> None:
    before = live.runtime.stats()["EchoFunction"].invocations
    response = asked(live, wish)
    assert (response.status_code, response.json()) == (500, {"code": kind})
    assert live.runtime.stats()["EchoFunction"].invocations == before


@pytest.mark.parametrize(
    ("wish", "cause"),
    [
        ("crash", "the authorizer failed: "),
        ("nopolicy", "the authorizer Asking: its answer has no "),
        ("nested", "the authorizer Asking: its context holds "),
    ],
)
def test_an_authorizer_that_fails_is_in_its_log_with_the_cause(live: LiveEmulator, wish: str, cause: str) -> None:
    request = asked(live, wish).headers["x-amzn-requestid"]
    lines = [(function, json.loads(line)) for function, about, line in live.lines if about == request]
    assert [function for function, _ in lines] == ["GuardFunction"]
    assert lines[0][1]["cause"].startswith(cause)


def test_a_throttled_authorizer_is_in_its_log_as_throttled(emulate: Emulate) -> None:
    live = emulate(limits=Limits(environments=0, queue=0.01))
    response = asked(live, "allow")
    assert (response.status_code, response.json()) == (500, {"code": "AUTHORIZER_CONFIGURATION_ERROR"})
    [line] = [json.loads(line) for _, about, line in live.lines if about == response.headers["x-amzn-requestid"]]
    assert line["cause"] == "the authorizer Asking: throttled, ConcurrentInvocationLimitExceeded"


def test_an_authorizer_that_cannot_start_lets_nobody_in(live: LiveEmulator) -> None:
    response = asked(live, "allow", "/unaskable")
    assert (response.status_code, response.json()) == (500, {"code": "AUTHORIZER_FAILURE"})


def test_a_token_authorizer_gets_the_token_and_only_one_of_the_right_form(live: LiveEmulator) -> None:
    allowed = live.http.get("/token", headers={"X-Token": "allow"})
    assert allowed.json()["requestContext"]["authorizer"]["event"] == "authorizationToken methodArn type"
    before = asks(live)
    assert live.http.get("/token", headers={"X-Token": "NOT-LOWER-CASE"}).status_code == 401
    assert live.http.get("/token").status_code == 401
    assert asks(live) == before


def test_without_a_ttl_every_request_is_asked_about(live: LiveEmulator) -> None:
    before = asks(live)
    for _ in range(3):
        assert asked(live, "allow").status_code == 200
    assert asks(live) - before == 3


def test_with_a_ttl_one_answer_serves_its_identity_and_is_weighed_for_every_method(emulate: Emulate) -> None:
    live = emulate()
    assert asked(live, "reading", "/remembered/1").status_code == 200
    assert asked(live, "reading", "/remembered/2").status_code == 200
    assert live.http.post("/remembered/1", headers={"Authorization": "reading"}).status_code == 403
    assert asks(live) == 1
    assert asked(live, "deny", "/remembered/1").status_code == 403
    assert asks(live) == 2
    assert asked(live, "crash", "/remembered/1").status_code == 500
    assert asked(live, "crash", "/remembered/1").status_code == 500
    assert asks(live) == 4


def test_an_answer_is_kept_for_its_ttl_and_not_longer(stack: Stack) -> None:
    api, now, asked = stack.apis[0], 0.0, 0
    ttl = api.authorizers["Remembering"].ttl
    request = Request("GET", "/remembered/1", "", [("Authorization", "somebody")], b"", "127.0.0.1")
    event = proxy_event(api, request, "/remembered/{id}", {"id": "1"}, {})

    async def allow(_function: str, _payload: bytes) -> InvokeResult:
        nonlocal asked
        asked += 1
        answer = {"principalId": "x", "policyDocument": policy(statement("Allow", "*"))}
        return InvokeResult(json.dumps(answer).encode(), None, "id")

    authorizers = Authorizers(api, allow, lambda: now)
    for moment, times in ((0.0, 1), (ttl - 0.001, 1), (ttl, 2)):
        now = moment
        asyncio.run(authorizers.authorize("Remembering", request, event))
        assert asked == times


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
def test_only_a_clear_allow_allows(document: dict[str, Any], verdict: bool | None) -> None:
    assert evaluate(document, ARN) is verdict, json.dumps(document)
