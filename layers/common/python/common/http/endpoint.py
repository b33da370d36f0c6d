"""Makes a Lambda handler of a typed function: parses the request, calls it once, writes the response.

    @endpoint(raises=[SaleClosed, QueueFull])
    def handler(user: User, body: EnterBody) -> Place:
        return waiting_room().enter(user.id, body.event_id)

A returned `Model` is 200, `created(model)` 201, None 204. A raised `DomainError` has its status and text in the error
catalogue, `StoreUnavailable` is 503, anything else 500 with nothing internal shown. Every response carries the trace
id, the security headers and, for a configured origin, CORS (GW-004, GW-010, GW-011, GW-012, GW-014).

Chosen over Powertools' REST resolver for its import time (`docs/adr/`).
"""

import inspect
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from types import NoneType, UnionType
from typing import Any, get_args, overload

from pydantic.alias_generators import to_camel

from common.domain.model import Model, rfc3339
from common.domain.shared_errors import (
    DomainError,
    InternalError,
    PayloadTooLarge,
    RateLimited,
    ServiceUnavailable,
    StoreUnavailable,
)
from common.http.error_catalogue import ERROR_CATALOGUE
from common.http.operation import Limit, Operation, Responses
from common.http.request import Body, Path, Query, Request, User, parse_body, parse_path, parse_query
from common.protection.rate_class import OTHERS, READS, RateClass
from common.runtime.log import log, write
from common.runtime.metrics import NAMESPACE
from common.runtime.trace import trace_id
from common.wiring.endpoint_settings import endpoint_settings

SECURITY_HEADERS = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


MAX_BODY = 1_000_000  # bytes (GW-018); API Gateway itself would take ten times that
MAX_ACCOUNT_BODY = 10_000  # of /auth and /users
LOGGED_IDS = ("reservation_id", "payment_id", "event_id")
METRICS = {
    "Namespace": NAMESPACE,
    "Dimensions": [["route"]],
    "Metrics": [
        {"Name": "Duration", "Unit": "Milliseconds"},
        {"Name": "Requests", "Unit": "Count"},
        {"Name": "ServerErrors", "Unit": "Count"},
    ],
}


@dataclass(frozen=True)
class Response:
    """A response with a status or headers of its own."""

    body: Model | str | None  # a str is JSON already: a cached body
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class ErrorWithHeaders(Exception):
    """A domain error whose response has headers of its own."""

    def __init__(self, error: DomainError, headers: Mapping[str, str]) -> None:
        super().__init__(str(error))
        self.error = error
        self.headers = headers


def created(body: Model) -> Response:
    return Response(body, 201)


Result = Model | Response | None
Event = dict[str, Any]
Handle = Callable[..., Result]
Handler = Callable[[Event, Any], Event]


@overload
def endpoint(handle: Handle) -> Handler: ...


@overload
def endpoint(
    *,
    limit: Limit = "by method",
    bot_check: bool = False,
    raises: Sequence[type[DomainError]] = (),
    responses: Responses | None = None,
) -> Callable[[Handle], Handler]: ...


def endpoint(
    handle: Handle | None = None,
    *,
    limit: Limit = "by method",
    bot_check: bool = False,
    raises: Sequence[type[DomainError]] = (),
    responses: Responses | None = None,
) -> Handler | Callable[[Handle], Handler]:
    """Make `handle` a Lambda proxy handler that fills its parameters from the event by their kind.

    `limit` is the rate class it is counted in; "by method" is READS or OTHERS, None is no limit.
    `bot_check` turns the bot check on: the handler must take a `User`, or a body with an `email`.
    `raises` names the errors of its own that it may end with, `responses` what a `Response` may hold, by status.
    """
    if handle is None:
        return lambda handle: _endpoint(handle, limit, bot_check, raises, responses)
    return _endpoint(handle, limit, bot_check, raises, responses)


def _endpoint(
    handle: Handle, limit: Limit, bot_check: bool, raises: Sequence[type[DomainError]], responses: Responses | None
) -> Handler:
    signature = inspect.signature(handle, eval_str=True)
    kinds = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    fill = {name: _source(kind) for name, kind in kinds.items()}
    operation = Operation(kinds, signature.return_annotation, limit, raises, responses or {}, bot_check)
    declared = frozenset(error.code for error in operation.errors())
    for code in declared:
        ERROR_CATALOGUE[code]  # an error without status and text fails at import, not at the first request
    if limit is not None:
        import common.wiring.rate_limiter  # loads Redis's client with the function rather than at its first call
    if bot_check:
        import common.wiring.bot_checker  # noqa: F401

    @wraps(handle)
    def handler(event: Event, context: Any) -> Event:
        started = time.perf_counter()
        request = Request.of(event)
        log.structure_logs(trace_id=request.trace_id)  # replaces the keys of the previous request
        trace_id.set(request.trace_id)
        limits: Mapping[str, str] = {}
        arguments: Mapping[str, Any] = {}
        why: Mapping[str, str] = {}
        try:
            _check_size(request)
            _check_token(request)
            limits = _limits(limit, request)
            arguments = {name: source(request) for name, source in fill.items()}
            if bot_check and endpoint_settings().bot_guard != "off":
                _check_bot(request, arguments)
            answer = _answer(handle(**arguments))
        except Exception as error:
            answer = _error(error, request, declared)
            why = _why(error, arguments)
        _record(event, answer["statusCode"], (time.perf_counter() - started) * 1000, why)
        # A handler's own headers win.
        answer["headers"] = {**_common_headers(request), **limits, **answer["headers"]}
        return answer

    handler.operation = operation  # type: ignore[attr-defined]
    return handler


def _check_size(request: Request) -> None:
    most = MAX_ACCOUNT_BODY if request.event.get("path", "").startswith(("/auth/", "/users/")) else MAX_BODY
    if len(request.event.get("body") or "") > most or len(request.raw_body) > most:
        raise PayloadTooLarge(limitBytes=most)


def _check_token(request: Request) -> None:
    """Raises TokenRevoked or TokenExpired for a token that ended after the gateway cached it."""
    claims = request.event.get("requestContext", {}).get("authorizer") or {}
    if endpoint_settings().authorizer == "JwtCached" and "jti" in claims:
        from common.wiring.token_blacklist_check import token_blacklist_check

        token_blacklist_check().check(claims)


def _limits(kind: Limit, request: Request) -> Mapping[str, str]:
    """The headers that say what is left. Raises RateLimited."""
    counted = endpoint_settings().rate_limits
    if kind is None or counted == "off":
        return {}
    if kind == "by method":
        kind = READS if request.event.get("httpMethod") in ("GET", "HEAD") else OTHERS
    from common.wiring.rate_limiter import rate_limiter

    claims = request.event.get("requestContext", {}).get("authorizer") or {}
    left = rate_limiter(address_limits=counted == "on").admit(kind, claims.get("sub"), request.source_ip)
    return _rate_limit_headers(left.limit, left.shown_remaining) if left else {}


def count_request(kind: RateClass, caller: str) -> None:
    """Count a caller that the gateway does not know, such as an address that logs in. Raises RateLimited.

    Only where addresses are counted, too: on a developer's machine every caller is the demo account.
    """
    if endpoint_settings().rate_limits == "on":
        from common.wiring.rate_limiter import rate_limiter

        rate_limiter(address_limits=True).admit(kind, caller, None)


def _check_bot(request: Request, arguments: Mapping[str, Any]) -> None:
    """Raises as `BotCheck.check` does."""
    from common.wiring.bot_checker import bot_checker

    user = next((str(given.id) for given in arguments.values() if isinstance(given, User)), None)
    account = user or next(str(given.email) for given in arguments.values() if hasattr(given, "email"))
    bot_checker().check(
        account,
        request.source_ip,
        request.headers.get("x-device-fingerprint"),
        request.headers.get("x-captcha-token", ""),
        logged_in=user is not None,
        observe=endpoint_settings().bot_guard == "observe",
    )


def _source(kind: Any) -> Callable[[Request], Any]:
    """How a parameter of this kind is read from the request. An unknown kind fails at import, not at the first
    request."""
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
    answer = result if isinstance(result, Response) else Response(result, 204 if result is None else 200)
    headers = dict(answer.headers)
    body = answer.body
    if body is None:
        return {"statusCode": answer.status, "headers": headers, "body": ""}
    headers.setdefault("Content-Type", "application/json")
    return {"statusCode": answer.status, "headers": headers, "body": body if isinstance(body, str) else body.to_json()}


def _error(error: Exception, request: Request, declared: Collection[str]) -> Event:
    headers: Mapping[str, str] = {}
    if isinstance(error, ErrorWithHeaders):
        headers, error = error.headers, error.error
    if isinstance(error, StoreUnavailable):
        log.exception("store unavailable")
        error = ServiceUnavailable(retry_after=1)
    elif not isinstance(error, DomainError):
        log.exception("unhandled")
        error = InternalError()
    entry = ERROR_CATALOGUE[error.code]
    if error.code not in declared:
        log.error("undeclared error", extra={"code": error.code, "status": entry.status})
    body: dict[str, Any] = {
        "code": error.code,
        "message": entry.text(request.language),
        "timestamp": rfc3339(datetime.now(UTC)),
        "traceId": request.trace_id,
    }
    if error.details:
        body["details"] = error.details
    return {
        "statusCode": entry.status,
        "headers": {"Content-Type": "application/json", **_error_headers(error), **headers},
        "body": json.dumps(body, ensure_ascii=False, default=str),
    }


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value), None)


def _why(error: Exception, arguments: Mapping[str, Any]) -> Mapping[str, str]:
    """What the request's record says of its error: the code, the reason, and the ids that it is about.

    An allow-list, since details may repeat what the client sent.
    """
    error = error.error if isinstance(error, ErrorWithHeaders) else error
    if not isinstance(error, DomainError):
        return {}
    details = error.details if isinstance(error.details, Mapping) else {}
    ids = {name: _first(getattr(given, name, None) for given in arguments.values()) for name in LOGGED_IDS}
    ids |= {name: value for name in LOGGED_IDS if (value := details.get(to_camel(name)))}
    found = {"code": error.code, "reason": details.get("reason"), **ids}
    return {name: str(value)[:200] for name, value in found.items() if value}


def _error_headers(error: DomainError) -> Mapping[str, str]:
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if isinstance(error, RateLimited) and error.limit:
        headers |= _rate_limit_headers(error.limit, error.remaining)
    return headers


def _rate_limit_headers(limit: int, remaining: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining)}


def _common_headers(request: Request) -> dict[str, str]:
    # Vary also without an allowed origin: a cache must not give this response to a page that needs one.
    headers = {**SECURITY_HEADERS, "X-Trace-Id": request.trace_id, "Vary": "Origin"}
    origin = request.headers.get("origin")
    if endpoint_settings().allows(origin):
        headers |= {
            "Access-Control-Allow-Origin": str(origin),
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "X-Trace-Id,Retry-After,X-RateLimit-Limit,X-RateLimit-Remaining,ETag",
        }
    return headers


def _record(event: Event, status: int, duration_ms: float, why: Mapping[str, str]) -> None:
    """One record that is log and metrics: CloudWatch reads the metrics that `_aws` names from any JSON record (embedded
    metric format), and a record of their own would cost as much again."""
    method, route = event.get("httpMethod", ""), event.get("resource", "")
    write(
        "request",
        method=method,
        path=event.get("path", ""),
        status=status,
        duration_ms=round(duration_ms, 1),
        route=f"{method} {route}",
        **why,
        Duration=duration_ms,
        Requests=1,
        ServerErrors=int(status >= 500),
        _aws={"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [METRICS]},
    )
