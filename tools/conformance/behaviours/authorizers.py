"""Lambda authorizers of type REQUEST."""

from tools.conformance.behaviour import behaviour, expect, require
from tools.conformance.emulator_client import Answer, EmulatorClient, new_key

_AREA = "Lambda authorizer"


def _ask(client: EmulatorClient, token: str | None, path: str = "/asked", method: str = "GET") -> Answer:
    headers = [] if token is None else [("Authorization", token)]
    return client.http(path, method, headers)


def _message(answer: Answer) -> object:
    document = answer.json()
    return document.get("message") if isinstance(document, dict) else document


@behaviour(_AREA, "an allow lets the request through", "authorizer")
def _allow(client: EmulatorClient) -> None:
    answer = _ask(client, "allow")
    require(answer.status == 200, answer.brief())


@behaviour(_AREA, "it gets the event without body, with type REQUEST and methodArn", "authorizer")
def _what_it_gets(client: EmulatorClient) -> None:
    key = new_key()
    _ask(client, f"allow {key}")
    records = client.recorder.records(key)
    require(len(records) == 1, f"called {len(records)} times")
    expect(records[0]["type"], "REQUEST", "type is")
    require("/v1/GET/asked" in records[0]["methodArn"], f"methodArn is {records[0]['methodArn']}")
    require("body" not in records[0]["keys"], "a body is in the event")


@behaviour(_AREA, "a missing identity source is a 401 and nobody is called", "authorizer")
def _missing_identity(client: EmulatorClient) -> None:
    answer = _ask(client, None)
    expect((answer.status, _message(answer)), (401, "Unauthorized"), "")


@behaviour(_AREA, '`raise Exception("Unauthorized")` is a 401', "authorizer")
def _unauthorized(client: EmulatorClient) -> None:
    answer = _ask(client, "unauthorized")
    expect((answer.status, _message(answer)), (401, "Unauthorized"), "")


@behaviour(_AREA, "a Deny is a 403", "authorizer output")
def _deny(client: EmulatorClient) -> None:
    answer = _ask(client, "deny")
    require(answer.status == 403, answer.brief())


@behaviour(_AREA, "any other exception is a 500", "authorizer")
def _failure(client: EmulatorClient) -> None:
    answer = _ask(client, "error")
    require(answer.status == 500, answer.brief())


@behaviour(
    _AREA, "context values arrive as strings in requestContext.authorizer, beside principalId", "authorizer output"
)
def _context(client: EmulatorClient) -> None:
    answer = _ask(client, "allow")
    require(answer.status == 200, answer.brief())
    context = answer.json()["requestContext"]["authorizer"]
    got = {key: context.get(key) for key in ("principalId", "role", "age", "vip")}
    expect(got, {"principalId": "user-1", "role": "guest", "age": "42", "vip": "true"}, "")


@behaviour(_AREA, "its answer is kept for ReauthorizeEvery seconds: the second request calls nobody", "authorizer")
def _cached(client: EmulatorClient) -> None:
    key = new_key()
    statuses = [_ask(client, f"allow {key}", "/remembered").status for _ in range(2)]
    expect(statuses, [200, 200], "answers")
    calls = len(client.recorder.records(key))
    require(calls == 1, f"called {calls} times")


@behaviour(_AREA, "ReauthorizeEvery 0 keeps nothing: every request calls", "authorizer")
def _not_cached(client: EmulatorClient) -> None:
    key = new_key()
    for _ in range(2):
        _ask(client, f"allow {key}")
    calls = len(client.recorder.records(key))
    require(calls == 2, f"called {calls} times")


@behaviour(_AREA, "a kept policy is evaluated anew for each method", "authorizer")
def _method_evaluated(client: EmulatorClient) -> None:
    token = f"get-only {new_key()}"
    allowed = _ask(client, token, "/remembered")
    refused = _ask(client, token, "/remembered", "POST")
    expect((allowed.status, refused.status), (200, 403), "GET and POST answer")
