"""The edge of a handler: event in, one typed call, answer out. Everything every endpoint owes its caller is here.

    @endpoint
    def handler(user: User, body: EnterBody) -> Place:
        return waiting_room().enter(user.id, body.event_id)

Returned: a `Model` is 200, `created(model)` 201, None 204. Raised: a `Refusal` is its own answer, a store that is away
503, anything else 500 with nothing of the inside shown. Every answer carries the trace id, the security headers and,
for a configured origin, CORS (GW-004, GW-010, GW-011, GW-012, GW-014).

Chosen over Powertools' REST resolver for its import time, and over no edge at all for `docs/decisions.md`'s reasons.
"""

import inspect
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, wraps
from types import NoneType, UnionType
from typing import Any, get_args

from aws_lambda_powertools.metrics import MetricUnit

from common.log import log
from common.metrics import emit
from common.model import Model, rfc3339
from common.problem import INTERNAL_ERROR, SERVICE_UNAVAILABLE, Refusal, store_away
from common.request import Body, Path, Query, Request, User, parse_body, parse_path, parse_query
from common.settings import Settings
from common.trace import trace_id

SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class EdgeSettings(Settings):
    allowed_origins: str = ""  # comma-separated


@dataclass(frozen=True)
class Answer:
    """An answer that is more than its body."""

    body: Model | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def created(body: Model) -> Answer:
    return Answer(body, 201)


Result = Model | Answer | None
Event = dict[str, Any]


def endpoint(handle: Callable[..., Result]) -> Callable[[Event, Any], Event]:
    """Make `handle` a Lambda proxy handler that fills its parameters from the event by their kind."""
    fill = {name: _source(parameter.annotation) for name, parameter in _parameters(handle).items()}

    @wraps(handle)
    def handler(event: Event, context: Any) -> Event:
        started = time.perf_counter()
        request = Request.of(event)
        log.clear_state()
        log.append_keys(trace_id=request.trace_id)
        trace_id.set(request.trace_id)
        try:
            answer = _answer(handle(**{name: source(request) for name, source in fill.items()}))
        except Exception as error:
            answer = _refused(error, request)
        _record(event, answer["statusCode"], (time.perf_counter() - started) * 1000)
        answer["headers"] = _common_headers(request) | answer["headers"]  # what a handler sets itself stands
        return answer

    return handler


def _parameters(handle: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(handle, eval_str=True).parameters


def _source(kind: Any) -> Callable[[Request], Any]:
    """Where a parameter of this kind comes from. An unknown kind fails at import, not at the first request."""
    if kind is Request:
        return lambda request: request
    if isinstance(kind, UnionType):  # `LogoutBody | None`: None when there is no body
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
        if not issubclass(kind, Body):
            raise TypeError(f"only a body may be missing, not a {kind!r}")
        return lambda request: parse_body(kind, request) if request.raw_body else None
    if issubclass(kind, User):
        return lambda request: _signed_in(kind, request)
    for base, parse in ((Body, parse_body), (Query, parse_query), (Path, parse_path)):
        if issubclass(kind, base):
            return lambda request: parse(kind, request)
    raise TypeError(f"a handler cannot take a {kind!r}")


def _signed_in(kind: type[User], request: Request) -> User:
    user = kind.of(request.event)
    log.append_keys(user_id=str(user.id))
    return user


def _answer(result: Result) -> Event:
    answer = result if isinstance(result, Answer) else Answer(result, 204 if result is None else 200)
    headers = dict(answer.headers)
    if answer.body is None:
        return {"statusCode": answer.status, "headers": headers, "body": ""}
    headers.setdefault("Content-Type", "application/json")
    return {"statusCode": answer.status, "headers": headers, "body": answer.body.to_json()}


def _refused(error: Exception, request: Request) -> Event:
    if isinstance(error, Refusal):
        refusal = error
    elif isinstance(error, store_away()):
        log.exception("a store is away")
        refusal = SERVICE_UNAVAILABLE.refusal(headers={"Retry-After": "1"})
    else:
        log.exception("unhandled")
        refusal = INTERNAL_ERROR.refusal()
    body: dict[str, Any] = {
        "code": refusal.problem.code,
        "message": refusal.problem.message(request.language),
        "timestamp": rfc3339(datetime.now(UTC)),
        "traceId": request.trace_id,
    }
    if refusal.details:
        body["details"] = refusal.details
    return {
        "statusCode": refusal.problem.status,
        "headers": {"Content-Type": "application/json", **refusal.headers},
        "body": json.dumps(body, ensure_ascii=False, default=str),
    }


@cache
def _origins() -> frozenset[str]:
    return frozenset(filter(None, EdgeSettings.from_environment().allowed_origins.split(",")))


def _common_headers(request: Request) -> dict[str, str]:
    headers = {**SECURITY_HEADERS, "X-Trace-Id": request.trace_id}
    origin = request.headers.get("origin")
    if origin in _origins():
        headers |= {
            "Access-Control-Allow-Origin": str(origin),
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "X-Trace-Id,Retry-After,X-RateLimit-Limit,X-RateLimit-Remaining,ETag",
            "Vary": "Origin",
        }
    return headers


def _record(event: Event, status: int, duration_ms: float) -> None:
    method, route = event.get("httpMethod", ""), event.get("resource", "")
    log.info(
        "request",
        extra={"method": method, "path": event.get("path", ""), "status": status, "duration_ms": round(duration_ms, 1)},
    )
    emit(
        {"route": f"{method} {route}"},
        Duration=(MetricUnit.Milliseconds, duration_ms),
        Requests=1,
        ServerErrors=int(status >= 500),
    )
