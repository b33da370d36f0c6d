"""Lambda authorizers of type REQUEST."""

from tools.conformance.behaviour import behaviour, expect, require
from tools.conformance.stand import Answer, Stand, new_key

_AREA = "Lambda authorizer"


def _ask(stand: Stand, token: str | None, path: str = "/asked", method: str = "GET") -> Answer:
    headers = [] if token is None else [("Authorization", token)]
    return stand.http(path, method, headers)


def _message(answer: Answer) -> object:
    document = answer.json()
    return document.get("message") if isinstance(document, dict) else document


@behaviour(_AREA, "an allow lets the request through", "authorizer")
def _allow(stand: Stand) -> None:
    answer = _ask(stand, "allow")
    require(answer.status == 200, answer.brief())


@behaviour(_AREA, "it gets the event without body, with type REQUEST and methodArn", "authorizer")
def _what_it_gets(stand: Stand) -> None:
    key = new_key()
    _ask(stand, f"allow {key}")
    records = stand.witness.records(key)
    require(len(records) == 1, f"called {len(records)} times")
    expect(records[0]["type"], "REQUEST", "type is")
    require("/v1/GET/asked" in records[0]["methodArn"], f"methodArn is {records[0]['methodArn']}")
    require("body" not in records[0]["keys"], "a body is in the event")


@behaviour(_AREA, "a missing identity source is a 401 and nobody is called", "authorizer")
def _missing_identity(stand: Stand) -> None:
    answer = _ask(stand, None)
    expect((answer.status, _message(answer)), (401, "Unauthorized"), "")


@behaviour(_AREA, '`raise Exception("Unauthorized")` is a 401', "authorizer")
def _unauthorized(stand: Stand) -> None:
    answer = _ask(stand, "unauthorized")
    expect((answer.status, _message(answer)), (401, "Unauthorized"), "")


@behaviour(_AREA, "a Deny is a 403", "authorizer output")
def _deny(stand: Stand) -> None:
    answer = _ask(stand, "deny")
    require(answer.status == 403, answer.brief())


@behaviour(_AREA, "any other exception is a 500", "authorizer")
def _failure(stand: Stand) -> None:
    answer = _ask(stand, "error")
    require(answer.status == 500, answer.brief())


@behaviour(
    _AREA, "context values arrive as strings in requestContext.authorizer, beside principalId", "authorizer output"
)
def _context(stand: Stand) -> None:
    answer = _ask(stand, "allow")
    require(answer.status == 200, answer.brief())
    context = answer.json()["requestContext"]["authorizer"]
    got = {key: context.get(key) for key in ("principalId", "role", "age", "vip")}
    expect(got, {"principalId": "user-1", "role": "guest", "age": "42", "vip": "true"}, "")


@behaviour(_AREA, "its answer is kept for ReauthorizeEvery seconds: the second request calls nobody", "authorizer")
def _cached(stand: Stand) -> None:
    key = new_key()
    statuses = [_ask(stand, f"allow {key}", "/remembered").status for _ in range(2)]
    expect(statuses, [200, 200], "answers")
    calls = len(stand.witness.records(key))
    require(calls == 1, f"called {calls} times")


@behaviour(_AREA, "ReauthorizeEvery 0 keeps nothing: every request calls", "authorizer")
def _not_cached(stand: Stand) -> None:
    key = new_key()
    for _ in range(2):
        _ask(stand, f"allow {key}")
    calls = len(stand.witness.records(key))
    require(calls == 2, f"called {calls} times")


@behaviour(_AREA, "a kept policy is evaluated anew for each method", "authorizer")
def _method_evaluated(stand: Stand) -> None:
    token = f"get-only {new_key()}"
    allowed = _ask(stand, token, "/remembered")
    refused = _ask(stand, token, "/remembered", "POST")
    expect((allowed.status, refused.status), (200, 403), "GET and POST answer")
