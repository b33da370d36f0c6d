"""Lambda authorizers of type REQUEST."""

from tools.conformance.emulator_client import Answer, EmulatorClient, new_key


def _ask(client: EmulatorClient, token: str | None, path: str = "/asked", method: str = "GET") -> Answer:
    headers = [] if token is None else [("Authorization", token)]
    return client.http(path, method, headers)


def _message(answer: Answer) -> object:
    document = answer.json()
    return document.get("message") if isinstance(document, dict) else document


def test_allow(client: EmulatorClient) -> None:
    """an allow lets the request through ([authorizer])"""
    answer = _ask(client, "allow")
    assert answer.status == 200, answer.brief()


def test_event(client: EmulatorClient) -> None:
    """it gets the event without its body, with type REQUEST and methodArn ([authorizer])"""
    key = new_key()
    _ask(client, f"allow {key}")
    records = client.recorder.records(key)
    assert len(records) == 1, f"called {len(records)} times"
    got = records[0]["type"]
    assert got == "REQUEST", f"type is {got!r}"
    assert "/v1/GET/asked" in records[0]["methodArn"], f"methodArn is {records[0]['methodArn']}"
    assert "body" not in records[0]["keys"], "a body is in the event"


def test_missing_identity(client: EmulatorClient) -> None:
    """a missing identity source is a 401, and the authorizer is not called ([authorizer])"""
    answer = _ask(client, None)
    got = (answer.status, _message(answer))
    assert got == (401, "Unauthorized"), f"{got!r}"


def test_unauthorized(client: EmulatorClient) -> None:
    """`raise Exception("Unauthorized")` is a 401 ([authorizer])"""
    answer = _ask(client, "unauthorized")
    got = (answer.status, _message(answer))
    assert got == (401, "Unauthorized"), f"{got!r}"


def test_deny(client: EmulatorClient) -> None:
    """a Deny is a 403 ([authorizer output])"""
    answer = _ask(client, "deny")
    assert answer.status == 403, answer.brief()


def test_other_exception(client: EmulatorClient) -> None:
    """any other exception is a 500 ([authorizer])"""
    answer = _ask(client, "error")
    assert answer.status == 500, answer.brief()


def test_context(client: EmulatorClient) -> None:
    """context values arrive as strings in requestContext.authorizer, beside principalId ([authorizer output])"""
    answer = _ask(client, "allow")
    assert answer.status == 200, answer.brief()
    context = answer.json()["requestContext"]["authorizer"]
    got = {key: context.get(key) for key in ("principalId", "role", "age", "vip")}
    assert got == {"principalId": "user-1", "role": "guest", "age": "42", "vip": "true"}, f"{got!r}"


def test_cached(client: EmulatorClient) -> None:
    """its answer is kept for ReauthorizeEvery seconds: the second request does not call it ([authorizer])"""
    key = new_key()
    statuses = [_ask(client, f"allow {key}", "/remembered").status for _ in range(2)]
    assert statuses == [200, 200], f"answers {statuses!r}"
    calls = len(client.recorder.records(key))
    assert calls == 1, f"called {calls} times"


def test_not_cached(client: EmulatorClient) -> None:
    """ReauthorizeEvery 0 keeps nothing: every request calls it ([authorizer])"""
    key = new_key()
    for _ in range(2):
        _ask(client, f"allow {key}")
    calls = len(client.recorder.records(key))
    assert calls == 2, f"called {calls} times"


def test_cached_policy_and_another_method(client: EmulatorClient) -> None:
    """a kept policy is evaluated again for each method ([authorizer])"""
    token = f"get-only {new_key()}"
    allowed = _ask(client, token, "/remembered")
    denied = _ask(client, token, "/remembered", "POST")
    got = (allowed.status, denied.status)
    assert got == (200, 403), f"GET and POST answer {got!r}"
