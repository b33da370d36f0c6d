"""The execution environment, as code inside it sees it."""

from typing import Any

from tools.conformance.behaviour import behaviour, expect, require
from tools.conformance.emulator_client import EmulatorClient, new_key

_AREA = "Execution environment"


def _describe(client: EmulatorClient, function: str = "ActFunction") -> dict[str, Any]:
    answer = client.invoke(function, {"act": "describe"})
    found = answer.json()
    require(isinstance(found, dict) and "started" in found, answer.brief())
    description: dict[str, Any] = found
    return description


@behaviour(_AREA, "the template's variables are there, resolved, beside Lambda's own", "environment")
def _variables(client: EmulatorClient) -> None:
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
    expect(wrong, {}, "differing:")


@behaviour(_AREA, "a layer's python/ is importable", "layers")
def _layer(client: EmulatorClient) -> None:
    expect(_describe(client)["layer"], "from the layer", "")


@behaviour(_AREA, "the context has request id, memory, ARN and the remaining time of this Timeout", "python context")
def _context(client: EmulatorClient) -> None:
    found = _describe(client)
    name = client.functions.get("ActFunction", "ActFunction")
    expect(found["memory"], 128, "memory_limit_in_mb")
    require(found["arn"].split(":")[:3] == ["arn", "aws", "lambda"], f"invoked_function_arn {found['arn']!r}")
    require(found["arn"].split(":")[6] == name, f"invoked_function_arn {found['arn']!r}")
    require(5_000 < found["remaining"] <= 10_000, f"{found['remaining']} ms of 10,000 remain")
    require(found["request_id"] != _describe(client)["request_id"], "the same request id twice")


@behaviour(_AREA, "_X_AMZN_TRACE_ID is set, and each call's own", "environment")
def _trace(client: EmulatorClient) -> None:
    first, second = _describe(client)["trace"], _describe(client)["trace"]
    require(str(first).startswith("Root=1-"), f"_X_AMZN_TRACE_ID is {first!r}")
    require(first != second, "the same twice")


@behaviour(_AREA, "a second call meets the same environment, its globals kept", "lifecycle")
def _warm(client: EmulatorClient) -> None:
    # One that was still busy with an earlier behaviour may take the second call: nobody promises which.
    met: dict[Any, list[int]] = {}
    for _ in range(4):
        described = _describe(client)
        met.setdefault(described["started"], []).append(described["calls"])
    calls = max(met.values(), key=len)
    require(len(calls) > 1, "another environment for every call")
    expect(calls, list(range(calls[0], calls[0] + len(calls))), "the count of calls")


def _require_reset(client: EmulatorClient, function: str, **event: Any) -> None:
    """The environment that takes the event must never be met again; others of the function may be."""
    key = new_key()
    client.invoke(function, {**event, "environment": key})
    ended = client.recorder.await_records(key, 1, 1)
    require(ended, "the call did not run")
    met = {_describe(client, function)["started"] for _ in range(5)}
    require(ended[0] not in met, "the same environment goes on")


@behaviour(_AREA, "an environment that crashed is never met again, and the function goes on", "lifecycle")
def _reset_by_crash(client: EmulatorClient) -> None:
    _require_reset(client, "ActFunction", act="exit")


@behaviour(_AREA, "an environment that timed out is never met again, and the function goes on", "lifecycle")
def _reset_by_timeout(client: EmulatorClient) -> None:
    _require_reset(client, "HurriedFunction", act="sleep", seconds=3)
