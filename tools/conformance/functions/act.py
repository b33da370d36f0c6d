"""Does what its event says, whether it was invoked or came through the gateway."""

import base64
import json
import os
import sys
import time
import uuid
from typing import Any

from recorder_client import note

STARTED = str(uuid.uuid4())  # tells one environment from another
calls = 0


class Refused(Exception):
    """Raised by `raise`."""


def handler(event: dict[str, Any], context: Any) -> Any:
    """`act` names one of the functions below; the answer is proxy-shaped where the event was a request."""
    global calls
    calls += 1
    came_by_http = "httpMethod" in event
    if came_by_http:
        body = event["body"] or "{}"
        event = json.loads(base64.b64decode(body) if event["isBase64Encoded"] else body)
    if "environment" in event:  # the key under which the suite learns which one this is
        note(event["environment"], STARTED)
    result = ACTS[event["act"]](event, context)
    if came_by_http and event["act"] != "malformed":
        return {"statusCode": 200, "body": result if isinstance(result, str) else json.dumps(result)}
    return result


def _raise(event: dict[str, Any], context: Any) -> None:
    raise Refused("no seat left")


def _exit(event: dict[str, Any], context: Any) -> None:
    os._exit(7)


def _sleep(event: dict[str, Any], context: Any) -> dict[str, Any]:
    time.sleep(event["seconds"])
    return {"slept": event["seconds"]}


def _hoard(event: dict[str, Any], context: Any) -> None:
    hoard = []
    for _ in range(64):
        hoard.append(bytearray(os.urandom(1024) * 8192))  # 8 MB at a time, every page written
        time.sleep(0.02)


def _describe(event: dict[str, Any], context: Any) -> dict[str, Any]:
    import shared  # the layer's

    names = ("GREETING", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_REGION", "_HANDLER")
    return {
        "environment": {name: os.environ.get(name) for name in names},
        "started": STARTED,
        "calls": calls,
        "layer": shared.WORD,
        "request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
        "memory": int(context.memory_limit_in_mb),
        "custom": context.client_context.custom if context.client_context else None,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }


def _note(event: dict[str, Any], context: Any) -> str:
    note(event["key"], {"request_id": context.aws_request_id, "time": time.time()})
    if event.get("then") == "raise":
        raise Refused("noted, and failed")
    if event.get("then") == "sleep":
        time.sleep(event["seconds"])
    return "noted"


def _say(event: dict[str, Any], context: Any) -> str:
    for _ in range(event.get("times", 1)):
        print(event["text"])
    sys.stdout.flush()
    return "said"


def _grow(event: dict[str, Any], context: Any) -> str:
    return "x" * int(event["bytes"])


def _malformed(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"statusCode": "two hundred", "body": {"not": "text"}}


def _unserialisable(event: dict[str, Any], context: Any) -> set[int]:
    return {1, 2}


ACTS = {
    "raise": _raise,
    "exit": _exit,
    "sleep": _sleep,
    "hoard": _hoard,
    "describe": _describe,
    "note": _note,
    "say": _say,
    "big": _grow,
    "malformed": _malformed,
    "unserialisable": _unserialisable,
}
