"""Lambda's Invoke API and what it says of a function's failures."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from tools.conformance.behaviour import Check, behaviour, expect, require
from tools.conformance.emulator_client import Answer, EmulatorClient, new_key

_AREA = "Lambda Invoke API"


def _error(answer: Answer) -> dict[str, Any]:
    require(answer.status == 200, answer.brief())
    kind = answer.header("X-Amz-Function-Error")
    require(kind == "Unhandled", f"X-Amz-Function-Error: {kind}; {answer.brief()}")
    document = answer.json()
    require(isinstance(document, dict), answer.brief())
    found: dict[str, Any] = document
    return found


@behaviour(_AREA, "an answer is a 200 with X-Amz-Executed-Version and the payload", "invoke")
def _invoked(client: EmulatorClient) -> None:
    answer = client.invoke("ActFunction", {"act": "big", "bytes": 3})
    require((answer.status, answer.json()) == (200, "xxx"), answer.brief())
    expect(answer.header("X-Amz-Executed-Version"), "$LATEST", "X-Amz-Executed-Version:")


@behaviour(
    _AREA,
    "an exception is a 200 with errorType, errorMessage, requestId, stackTrace and X-Amz-Function-Error",
    "python errors",
)
def _raised(client: EmulatorClient) -> None:
    document = _error(client.invoke("ActFunction", {"act": "raise"}))
    expect((document["errorType"], document["errorMessage"]), ("Refused", "no seat left"), "")
    require("requestId" in document and isinstance(document["stackTrace"], list), f"keys {sorted(document)}")


@behaviour(_AREA, "an answer that is no JSON is Runtime.MarshalError", "python errors")
def _unserialisable(client: EmulatorClient) -> None:
    document = _error(client.invoke("ActFunction", {"act": "unserialisable"}))
    expect(document.get("errorType"), "Runtime.MarshalError", "errorType")


@behaviour(_AREA, "a process that exits is Runtime.ExitError with its status", "runtime api")
def _exited(client: EmulatorClient) -> None:
    document = _error(client.invoke("ActFunction", {"act": "exit"}))
    expect(document.get("errorType"), "Runtime.ExitError", "errorType")
    message = str(document.get("errorMessage"))
    require(message.endswith("Error: Runtime exited with error: exit status 7"), f"errorMessage {message!r}")


@behaviour(_AREA, "a timeout is Sandbox.Timedout, after the function's Timeout", "lifecycle")
def _timed_out(client: EmulatorClient) -> None:
    client.invoke("HurriedFunction", {"act": "describe"})  # warm
    began = time.monotonic()
    document = _error(client.invoke("HurriedFunction", {"act": "sleep", "seconds": 5}))
    took = time.monotonic() - began
    expect(document.get("errorType"), "Sandbox.Timedout", "errorType")
    message = str(document.get("errorMessage"))
    require(message.endswith("Task timed out after 1.00 seconds"), f"errorMessage {message!r}")
    require(0.9 < took < 2.5, f"after {took:.1f} s")


@behaviour(_AREA, "memory over MemorySize ends it: Runtime.ExitError, signal: killed", "memory")
def _out_of_memory(client: EmulatorClient) -> None:
    document = _error(client.invoke("ActFunction", {"act": "hoard"}))
    got = f"{document.get('errorType')}: {document.get('errorMessage')}"
    require("Runtime.ExitError" in got and "signal: killed" in got, got)


@behaviour(_AREA, "a module that raises is the error of every call, with its own type", "runtime api")
def _broken_module(client: EmulatorClient) -> None:
    document = _error(client.invoke("BrokenFunction", {}))
    expect((document.get("errorType"), document.get("errorMessage")), ("RuntimeError", "the module is broken"), "")


@behaviour(_AREA, "an answer over 6 MB is Function.ResponseSizeTooLarge", "lambda quotas")
def _big_answer(client: EmulatorClient) -> None:
    document = _error(client.invoke("ActFunction", {"act": "big", "bytes": 7_000_000}))
    expect(document.get("errorType"), "Function.ResponseSizeTooLarge", "errorType")


@behaviour(_AREA, "an event over 6 MB is a 413 RequestTooLargeException", "lambda quotas")
def _big_event(client: EmulatorClient) -> None:
    answer = client.invoke("ActFunction", {"act": "say", "text": "", "padding": "x" * 7_000_000})
    require(answer.status == 413, answer.brief())


@behaviour(_AREA, "an asynchronous event over 1 MB is a 413", "lambda quotas")
def _big_asynchronous_event(client: EmulatorClient) -> None:
    event = {"act": "say", "text": "", "padding": "x" * 1_200_000}
    answer = client.invoke("ActFunction", event, Invocation_Type="Event")
    require(answer.status == 413, answer.brief())


@behaviour(_AREA, "a function is found by its whole ARN too", "invoke")
def _by_arn(client: EmulatorClient) -> None:
    arn = client.invoke("ActFunction", {"act": "describe"}).json()["arn"]
    answer = client.lambda_http(
        f"/2015-03-31/functions/{quote(arn, safe='')}/invocations", b'{"act": "big", "bytes": 3}'
    )
    require((answer.status, answer.json()) == (200, "xxx"), answer.brief())


@behaviour(_AREA, "X-Amz-Client-Context reaches the function's context", "python context")
def _client_context(client: EmulatorClient) -> None:
    header = base64.b64encode(b'{"custom": {"seat": "A1"}}').decode()
    answer = client.invoke("ActFunction", {"act": "describe"}, Client_Context=header)
    expect(answer.json()["custom"], {"seat": "A1"}, "client_context.custom is")


@behaviour(_AREA, "LogType Tail brings the end of the log", "invoke")
def _log_tail(client: EmulatorClient) -> None:
    answer = client.invoke("ActFunction", {"act": "say", "text": "a line to find"}, Log_Type="Tail")
    log = client.log_tail(answer)
    require("a line to find" in log, f"X-Amz-Log-Result: {log[:80]!r}")


@behaviour(_AREA, "the log tail has START, END and REPORT and is at most 4 KB", "invoke")
def _log_tail_frame(client: EmulatorClient) -> None:
    log = client.log_tail(client.invoke("ActFunction", {"act": "say", "text": "short"}, Log_Type="Tail"))
    missing = [word for word in ("START RequestId", "END RequestId", "REPORT RequestId") if word not in log]
    expect(missing, [], "missing:")
    long = client.log_tail(
        client.invoke("ActFunction", {"act": "say", "text": "x" * 99, "times": 200}, Log_Type="Tail")
    )
    require(len(long) <= 4096, f"{len(long)} bytes")


@behaviour(_AREA, "DryRun is a 204 and runs nothing", "invoke")
def _dry_run(client: EmulatorClient) -> None:
    key = new_key()
    answer = client.invoke("ActFunction", {"act": "note", "key": key}, Invocation_Type="DryRun")
    require(answer.status == 204, answer.brief())
    require(not client.recorder.await_records(key, 1, 0.5), "204, and it ran")


@behaviour(_AREA, "an unknown function is a 404 ResourceNotFoundException", "invoke")
def _unknown_function(client: EmulatorClient) -> None:
    answer = client.invoke("NobodyFunction", {})
    require(answer.status == 404, answer.brief())
    kind = (answer.header("x-amzn-ErrorType") or "").split(":")[0]
    expect(kind, "ResourceNotFoundException", "x-amzn-ErrorType:")


@behaviour(_AREA, "a payload that is no JSON is a 400 InvalidRequestContentException", "invoke")
def _no_json(client: EmulatorClient) -> None:
    name = client.functions.get("ActFunction", "ActFunction")
    answer = client.lambda_http(f"/2015-03-31/functions/{name}/invocations", b"{not json")
    require(answer.status == 400, answer.brief())
    require("InvalidRequestContent" in f"{answer.headers}{answer.body!r}", answer.brief())


@behaviour(_AREA, "InvocationType Event is a 202 at once, and it runs", "async")
def _event(client: EmulatorClient) -> None:
    key = new_key()
    event = {"act": "note", "key": key, "then": "sleep", "seconds": 2}
    began = time.monotonic()
    answer = client.invoke("ActFunction", event, Invocation_Type="Event")
    took = time.monotonic() - began
    require(answer.status == 202, answer.brief())
    require(took < 1.5, f"202 after {took:.1f} s")
    require(client.recorder.await_records(key, 1, 10), "202, and nothing ran")


def _begin(key: str) -> Check:
    """An asynchronous invocation that fails, noted under `key`."""

    def begin(client: EmulatorClient) -> None:
        answer = client.invoke("ActFunction", {"act": "note", "key": key, "then": "raise"}, Invocation_Type="Event")
        require(answer.status == 202, answer.brief())
        client.began[key] = time.monotonic()

    return begin


def _attempts(client: EmulatorClient, key: str) -> list[Any]:
    attempts = client.recorder.await_records(key, 2, client.began[key] + 80 - time.monotonic())
    require(len(attempts) >= 2, f"{len(attempts)} attempt in over a minute")
    return attempts


_RETRIED = "an asynchronous failure is tried again, under the same request id"


@behaviour(_AREA, _RETRIED, "async", begin=_begin("retry"), slow=True)
def _retried(client: EmulatorClient) -> None:
    attempts = _attempts(client, "retry")
    ids = {attempt["request_id"] for attempt in attempts}
    require(len(ids) == 1, f"{len(attempts)} attempts under {len(ids)} request ids")


@behaviour(_AREA, "the first retry comes after a minute", "async", begin=_begin("retry-delay"), slow=True)
def _retry_delay(client: EmulatorClient) -> None:
    attempts = _attempts(client, "retry-delay")
    pause = attempts[1]["time"] - attempts[0]["time"]
    require(50 < pause < 75, f"after {pause:.0f} s")


@behaviour(_AREA, "over ReservedConcurrentExecutions it is a 429 TooManyRequestsException", "concurrency")
def _reserved(client: EmulatorClient) -> None:
    client.invoke("ScarceFunction", {"act": "describe"})  # warm
    with ThreadPoolExecutor(3) as pool:
        event = {"act": "sleep", "seconds": 1.5}
        answers = list(pool.map(lambda _: client.invoke("ScarceFunction", event), range(3)))
    statuses = sorted(answer.status for answer in answers)
    require(statuses == [200, 429, 429], f"answers to three at once: {statuses}")
    refused = next(answer for answer in answers if answer.status == 429)
    reason = json.loads(refused.body).get("Reason")
    expect(reason, "ReservedFunctionConcurrentInvocationLimitExceeded", "Reason:")
