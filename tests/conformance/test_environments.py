"""The execution environment, as code inside it sees it."""

from typing import Any

from tools.conformance.emulator_client import EmulatorClient, new_key


def _describe(client: EmulatorClient, function: str = "ActFunction") -> dict[str, Any]:
    answer = client.invoke(function, {"act": "describe"})
    found = answer.json()
    assert isinstance(found, dict), answer.brief()
    assert "started" in found, answer.brief()
    return found


def test_variables(client: EmulatorClient) -> None:
    """the template's variables are there, resolved, beside Lambda's own ([environment])"""
    found = _describe(client)["environment"]
    name = client.functions.get("ActFunction", "ActFunction")
    wanted = {
        "GREETING": f"hello from {found['AWS_REGION']}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_REGION": "us-east-1",
        "_HANDLER": "act.handler",
    }
    wrong = {key: found.get(key) for key, value in wanted.items() if found.get(key) != value}
    assert wrong == {}, f"differing: {wrong!r}"


def test_layer(client: EmulatorClient) -> None:
    """a layer's python/ is importable ([layers])"""
    got = _describe(client)["layer"]
    assert got == "from the layer", f"{got!r}"


def test_context(client: EmulatorClient) -> None:
    """the context has request id, memory, ARN and the remaining time of this Timeout ([python context])"""
    found = _describe(client)
    name = client.functions.get("ActFunction", "ActFunction")
    assert found["memory"] == 128, f"memory_limit_in_mb {found['memory']!r}"
    assert found["arn"].split(":")[:3] == ["arn", "aws", "lambda"], f"invoked_function_arn {found['arn']!r}"
    assert found["arn"].split(":")[6] == name, f"invoked_function_arn {found['arn']!r}"
    assert 5_000 < found["remaining"] <= 10_000, f"{found['remaining']} ms of 10,000 remain"
    assert found["request_id"] != _describe(client)["request_id"], "the same request id twice"


def test_trace(client: EmulatorClient) -> None:
    """_X_AMZN_TRACE_ID is set, and each call's own ([environment])"""
    first, second = _describe(client)["trace"], _describe(client)["trace"]
    assert str(first).startswith("Root=1-"), f"_X_AMZN_TRACE_ID is {first!r}"
    assert first != second, "the same twice"


def test_warm(client: EmulatorClient) -> None:
    """a second call uses the same environment, with its globals ([lifecycle])"""
    # An environment that was still busy with an earlier test may take the second call.
    calls_of: dict[Any, list[int]] = {}
    for _ in range(4):
        described = _describe(client)
        calls_of.setdefault(described["started"], []).append(described["calls"])
    calls = max(calls_of.values(), key=len)
    assert len(calls) > 1, "another environment for every call"
    assert calls == list(range(calls[0], calls[0] + len(calls))), f"the count of calls {calls!r}"


def _check_reset(client: EmulatorClient, function: str, **event: Any) -> None:
    """The environment that takes the event must not be used again; others of the function may be."""
    key = new_key()
    client.invoke(function, {**event, "environment": key})
    ended = client.recorder.await_records(key, 1, 1)
    assert ended, "the call did not run"
    used = {_describe(client, function)["started"] for _ in range(5)}
    assert ended[0] not in used, "the same environment goes on"


def test_reset_by_crash(client: EmulatorClient) -> None:
    """an environment that crashed is never used again, and the function continues ([lifecycle])"""
    _check_reset(client, "ActFunction", act="exit")


def test_reset_by_timeout(client: EmulatorClient) -> None:
    """an environment that timed out is never used again, and the function continues ([lifecycle])"""
    _check_reset(client, "HurriedFunction", act="sleep", seconds=3)
