"""Lambda's Invoke API, and how it reports a function's failures."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from tools.conformance.emulator_client import Answer, EmulatorClient, new_key


def _error(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.brief()
    kind = answer.header("X-Amz-Function-Error")
    assert kind == "Unhandled", f"X-Amz-Function-Error: {kind}; {answer.brief()}"
    document = answer.json()
    assert isinstance(document, dict), answer.brief()
    return document


def test_answer(client: EmulatorClient) -> None:
    """an answer is a 200 with X-Amz-Executed-Version and the payload ([invoke])"""
    answer = client.invoke("ActFunction", {"act": "big", "bytes": 3})
    assert (answer.status, answer.json()) == (200, "xxx"), answer.brief()
    got = answer.header("X-Amz-Executed-Version")
    assert got == "$LATEST", f"X-Amz-Executed-Version: {got!r}"


def test_exception(client: EmulatorClient) -> None:
    """an exception is a 200 with errorType, errorMessage, requestId, stackTrace and X-Amz-Function-Error
    ([python errors])"""
    document = _error(client.invoke("ActFunction", {"act": "raise"}))
    got = (document["errorType"], document["errorMessage"])
    assert got == ("Refused", "no seat left"), f"{got!r}"
    assert "requestId" in document, f"keys {sorted(document)}"
    assert isinstance(document["stackTrace"], list), f"stackTrace {document['stackTrace']!r}"


def test_unserialisable(client: EmulatorClient) -> None:
    """an answer that is not JSON is Runtime.MarshalError ([python errors])"""
    document = _error(client.invoke("ActFunction", {"act": "unserialisable"}))
    got = document.get("errorType")
    assert got == "Runtime.MarshalError", f"errorType {got!r}"


def test_exit(client: EmulatorClient) -> None:
    """a process that exits is Runtime.ExitError with its status ([runtime api])"""
    document = _error(client.invoke("ActFunction", {"act": "exit"}))
    got = document.get("errorType")
    assert got == "Runtime.ExitError", f"errorType {got!r}"
    message = str(document.get("errorMessage"))
    assert message.endswith("Error: Runtime exited with error: exit status 7"), f"errorMessage {message!r}"


def test_timeout(client: EmulatorClient) -> None:
    """a timeout is Sandbox.Timedout, after the function's Timeout ([lifecycle])"""
    client.invoke("HurriedFunction", {"act": "describe"})  # warm
    began = time.monotonic()
    document = _error(client.invoke("HurriedFunction", {"act": "sleep", "seconds": 5}))
    took = time.monotonic() - began
    got = document.get("errorType")
    assert got == "Sandbox.Timedout", f"errorType {got!r}"
    message = str(document.get("errorMessage"))
    assert message.endswith("Task timed out after 1.00 seconds"), f"errorMessage {message!r}"
    assert 0.9 < took < 2.5, f"after {took:.1f} s"


def test_out_of_memory(client: EmulatorClient) -> None:
    """a call that needs more than MemorySize is Runtime.ExitError, signal: killed ([memory])"""
    document = _error(client.invoke("ActFunction", {"act": "hoard"}))
    got = f"{document.get('errorType')}: {document.get('errorMessage')}"
    assert "Runtime.ExitError" in got, got
    assert "signal: killed" in got, got


def test_broken_module(client: EmulatorClient) -> None:
    """an exception at import is the error of every call, with its own type ([runtime api])"""
    document = _error(client.invoke("BrokenFunction", {}))
    got = (document.get("errorType"), document.get("errorMessage"))
    assert got == ("RuntimeError", "the module is broken"), f"{got!r}"


def test_big_answer(client: EmulatorClient) -> None:
    """an answer over 6 MB is Function.ResponseSizeTooLarge ([lambda quotas])"""
    document = _error(client.invoke("ActFunction", {"act": "big", "bytes": 7_000_000}))
    got = document.get("errorType")
    assert got == "Function.ResponseSizeTooLarge", f"errorType {got!r}"


def test_big_event(client: EmulatorClient) -> None:
    """an event over 6 MB is a 413 RequestTooLargeException ([lambda quotas])"""
    answer = client.invoke("ActFunction", {"act": "say", "text": "", "padding": "x" * 7_000_000})
    assert answer.status == 413, answer.brief()


def test_big_asynchronous_event(client: EmulatorClient) -> None:
    """an asynchronous event over 1 MB is a 413 ([lambda quotas])"""
    event = {"act": "say", "text": "", "padding": "x" * 1_200_000}
    answer = client.invoke("ActFunction", event, Invocation_Type="Event")
    assert answer.status == 413, answer.brief()


def test_by_arn(client: EmulatorClient) -> None:
    """a function is found by its full ARN too ([invoke])"""
    arn = client.invoke("ActFunction", {"act": "describe"}).json()["arn"]
    answer = client.lambda_http(
        f"/2015-03-31/functions/{quote(arn, safe='')}/invocations", b'{"act": "big", "bytes": 3}'
    )
    assert (answer.status, answer.json()) == (200, "xxx"), answer.brief()


def test_client_context(client: EmulatorClient) -> None:
    """X-Amz-Client-Context reaches the function's context ([python context])"""
    header = base64.b64encode(b'{"custom": {"seat": "A1"}}').decode()
    answer = client.invoke("ActFunction", {"act": "describe"}, Client_Context=header)
    got = answer.json()["custom"]
    assert got == {"seat": "A1"}, f"client_context.custom is {got!r}"


def test_log_tail(client: EmulatorClient) -> None:
    """LogType Tail returns the end of the log ([invoke])"""
    answer = client.invoke("ActFunction", {"act": "say", "text": "a line to find"}, Log_Type="Tail")
    log = client.log_tail(answer)
    assert "a line to find" in log, f"X-Amz-Log-Result: {log[:80]!r}"


def test_log_tail_frame(client: EmulatorClient) -> None:
    """the log tail has START, END and REPORT and is at most 4 KB ([invoke])"""
    log = client.log_tail(client.invoke("ActFunction", {"act": "say", "text": "short"}, Log_Type="Tail"))
    missing = [word for word in ("START RequestId", "END RequestId", "REPORT RequestId") if word not in log]
    assert missing == [], f"missing: {missing!r}"
    long = client.log_tail(
        client.invoke("ActFunction", {"act": "say", "text": "x" * 99, "times": 200}, Log_Type="Tail")
    )
    assert len(long) <= 4096, f"{len(long)} bytes"


def test_dry_run(client: EmulatorClient) -> None:
    """DryRun is a 204 and runs nothing ([invoke])"""
    key = new_key()
    answer = client.invoke("ActFunction", {"act": "note", "key": key}, Invocation_Type="DryRun")
    assert answer.status == 204, answer.brief()
    assert not client.recorder.await_records(key, 1, 0.5), "204, and it ran"


def test_unknown_function(client: EmulatorClient) -> None:
    """an unknown function is a 404 ResourceNotFoundException ([invoke])"""
    answer = client.invoke("UnknownFunction", {})
    assert answer.status == 404, answer.brief()
    kind = (answer.header("x-amzn-ErrorType") or "").split(":")[0]
    assert kind == "ResourceNotFoundException", f"x-amzn-ErrorType: {kind!r}"


def test_payload_that_is_not_json(client: EmulatorClient) -> None:
    """a payload that is not JSON is a 400 InvalidRequestContentException ([invoke])"""
    name = client.functions.get("ActFunction", "ActFunction")
    answer = client.lambda_http(f"/2015-03-31/functions/{name}/invocations", b"{not json")
    assert answer.status == 400, answer.brief()
    assert "InvalidRequestContent" in f"{answer.headers}{answer.body!r}", answer.brief()


def test_asynchronous(client: EmulatorClient) -> None:
    """InvocationType Event is a 202 at once, and it runs ([async])"""
    key = new_key()
    event = {"act": "note", "key": key, "then": "sleep", "seconds": 2}
    began = time.monotonic()
    answer = client.invoke("ActFunction", event, Invocation_Type="Event")
    took = time.monotonic() - began
    assert answer.status == 202, answer.brief()
    assert took < 1.5, f"202 after {took:.1f} s"
    assert client.recorder.await_records(key, 1, 10), "202, and nothing ran"


@pytest.fixture(scope="module")
def attempts(client: EmulatorClient) -> list[Any]:
    """Of an asynchronous event that fails every time: the first two."""
    key = new_key()
    answer = client.invoke("ActFunction", {"act": "note", "key": key, "then": "raise"}, Invocation_Type="Event")
    assert answer.status == 202, answer.brief()
    found = client.recorder.await_records(key, 2, 80)
    assert len(found) >= 2, f"{len(found)} attempt in over a minute"
    return found


@pytest.mark.slow
def test_retry(attempts: list[Any]) -> None:
    """an asynchronous failure is retried under the same request id ([async])"""
    ids = {attempt["request_id"] for attempt in attempts}
    assert len(ids) == 1, f"{len(attempts)} attempts under {len(ids)} request ids"


@pytest.mark.slow
def test_retry_delay(attempts: list[Any]) -> None:
    """the first retry comes after a minute ([async])"""
    pause = attempts[1]["time"] - attempts[0]["time"]
    assert 50 < pause < 75, f"after {pause:.0f} s"


def test_reserved_concurrency(client: EmulatorClient) -> None:
    """over ReservedConcurrentExecutions it is a 429 TooManyRequestsException ([concurrency])"""
    client.invoke("ScarceFunction", {"act": "describe"})  # warm
    with ThreadPoolExecutor(3) as pool:
        event = {"act": "sleep", "seconds": 1.5}
        answers = list(pool.map(lambda _: client.invoke("ScarceFunction", event), range(3)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200, 429, 429], f"answers to three at once: {statuses}"
    throttled = next(answer for answer in answers if answer.status == 429)
    reason = json.loads(throttled.body).get("Reason")
    assert reason == "ReservedFunctionConcurrentInvocationLimitExceeded", f"Reason: {reason!r}"
