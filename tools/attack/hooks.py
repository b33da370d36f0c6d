"""What schemathesis loads: who calls, and what it does not check by itself."""

import itertools
import json
import os
import time
from typing import Any

import schemathesis

from tools.attack.date_times import register_date_times

register_date_times()

HEADERS = (
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "content-security-policy",
    "x-trace-id",
)
TRIES = 3
SIGNED_IN = json.loads(os.environ.get("ATTACK_TOKENS", "[]"))
ENDS_A_SESSION = "log_out"

if SIGNED_IN:

    @schemathesis.auth(refresh_interval=None)
    class Caller:
        """The first token for everything; each sign-out takes one of the others, and the last when all are gone."""

        def __init__(self) -> None:
            self._spare = itertools.chain(SIGNED_IN[1:], itertools.repeat(SIGNED_IN[-1]))

        def get(self, case: Any, context: Any) -> str:
            token: str = next(self._spare) if operation_id(case) == ENDS_A_SESSION else SIGNED_IN[0]
            return token

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


def operation_id(case: Any) -> str:
    return str(case.operation.definition.raw.get("operationId"))


@schemathesis.check
def every_answer_is_ours(ctx: Any, response: Any, case: Any) -> None:
    """The security headers and the trace id on all of them, the one error shape on every error (docs/api.md)."""
    if response.request.method == "OPTIONS" or response.status_code == 431:
        return  # a browser's preflight, and too much header: answered before a gateway response could say anything
    missing = [name for name in HEADERS if name not in response.headers]
    assert not missing, f"without {', '.join(missing)}"
    if response.status_code < 400 or response.request.method == "HEAD" or _told_otherwise(case, response.status_code):
        return
    body = response.json()
    assert {"code", "message", "timestamp", "traceId"} <= body.keys(), "not the error shape"
    assert [body["traceId"]] == response.headers["x-trace-id"], "two trace ids"


def _told_otherwise(case: Any, status: int) -> bool:
    """Health tells its state with a 503."""
    return operation_id(case) == "gateway_health" and status == 503


@schemathesis.check
def a_store_that_is_away_comes_back(ctx: Any, response: Any, case: Any) -> None:
    """A 503 says when to come again, and then it is one no more: a machine that is too busy is no fault of the API."""
    for _ in range(TRIES):
        if response.status_code != 503 or _told_otherwise(case, 503):
            return
        assert "retry-after" in response.headers, "a 503 that does not say when to come again"
        time.sleep(float(response.headers["retry-after"][0]))
        response = case.call()
    assert response.status_code != 503, "still a 503"


@schemathesis.check
def a_method_that_is_not_there_is_not_found(ctx: Any, response: Any, case: Any) -> None:
    method = response.request.method
    if method != "OPTIONS" and method.lower() not in case.operation.schema.raw_schema["paths"][case.operation.path]:
        assert response.status_code in (404, 405), f"{method} is answered {response.status_code}"
