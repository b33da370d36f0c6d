"""Loaded by schemathesis: which account calls, and checks that schemathesis does not have."""

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
TOKENS = json.loads(os.environ.get("ATTACK_TOKENS", "[]"))
LOG_OUT = "log_out"

if TOKENS:

    @schemathesis.auth(refresh_interval=None)
    class AccessTokens:
        """The first token for all calls; each logout gets one of the others, or the last one when all are used."""

        def __init__(self) -> None:
            self._spare = itertools.chain(TOKENS[1:], itertools.repeat(TOKENS[-1]))

        def get(self, case: Any, context: Any) -> str:
            token: str = next(self._spare) if operation_id(case) == LOG_OUT else TOKENS[0]
            return token

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


def operation_id(case: Any) -> str:
    return str(case.operation.definition.raw.get("operationId"))


@schemathesis.check
def every_response_has_our_headers_and_error_shape(ctx: Any, response: Any, case: Any) -> None:
    """Every response has the security headers and a trace id, every error has the one error shape (docs/api.md)."""
    if response.request.method == "OPTIONS" or response.status_code == 431:
        return  # a preflight, and headers that are too large: API Gateway answers these itself, without our headers
    missing = [name for name in HEADERS if name not in response.headers]
    assert not missing, f"missing headers: {', '.join(missing)}"
    if response.status_code < 400 or response.request.method == "HEAD" or _is_health_report(case, response.status_code):
        return
    body = response.json()
    assert {"code", "message", "timestamp", "traceId"} <= body.keys(), "not the error shape"
    assert [body["traceId"]] == response.headers["x-trace-id"], "two trace ids"


def _is_health_report(case: Any, status: int) -> bool:
    """The health check reports its state with a 503."""
    return operation_id(case) == "gateway_health" and status == 503


@schemathesis.check
def a_503_has_retry_after_and_ends(ctx: Any, response: Any, case: Any) -> None:
    """A 503 has `Retry-After`, and a retry succeeds. A busy machine may cause a 503, which is no fault of the API."""
    for _ in range(TRIES):
        if response.status_code != 503 or _is_health_report(case, 503):
            return
        assert "retry-after" in response.headers, "a 503 without Retry-After"
        time.sleep(float(response.headers["retry-after"][0]))
        response = case.call()
    assert response.status_code != 503, f"still a 503 after {TRIES} retries"


@schemathesis.check
def an_undocumented_method_is_rejected(ctx: Any, response: Any, case: Any) -> None:
    method = response.request.method
    if method != "OPTIONS" and method.lower() not in case.operation.schema.raw_schema["paths"][case.operation.path]:
        assert response.status_code in (404, 405), f"{method} returns {response.status_code}"
