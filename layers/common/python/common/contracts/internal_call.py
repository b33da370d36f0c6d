"""Calls between services: direct Lambda invocation under IAM, with a service key (INT-001 to INT-007).

Nothing here has a route, so `/internal/**` does not exist on the public API (INT-008). A call connects within 2 s and
answers within 3 s; only reads are repeated, once. Who may call is asked before anything else is looked at, and how
often is counted by caller and called function (INT-010).
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from common.domain.model import Model
from common.domain.shared_errors import (
    DomainError,
    InvalidInput,
    RateLimited,
    ServiceKeyInvalid,
    ServiceUnavailable,
    StoreUnavailable,
)
from common.protection.rate_class import RouteClass
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.settings import Settings
from common.runtime.trace import trace_id
from common.stores.secrets import secret

AnswerT = TypeVar("AnswerT", bound=Model)
AskedT = TypeVar("AskedT", bound=Model)


CONNECT_SECONDS, ANSWER_SECONDS = 2, 3
# Another service rejects us, not the buyer behind the call: the buyer gets a 503, and a message is retried.
CALLER_ERRORS = (ServiceKeyInvalid.code, RateLimited.code)


class Call(Protocol):
    """How one service calls another: `call` below, or a fake in tests."""

    def __call__(
        self,
        function: str,
        asked: Model,
        answer: type[AnswerT],
        *,
        read: bool,
        raises: Sequence[type[DomainError]] = (),
    ) -> AnswerT: ...


class UndeclaredError(Exception):
    """Another service answered with an error that this caller does not expect: a bug."""


class CallerSettings(Settings):
    service_name: str


class CalledSettings(Settings):
    internal_calls_per_minute: int = 6000


@cache
def _lambda_client(attempts: int) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "lambda",
        config=Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": attempts}
        ),
    )


def call(
    function: str,
    asked: Model,
    answer: type[AnswerT],
    *,
    read: bool,
    raises: Sequence[type[DomainError]] = (),
) -> AnswerT:
    """What another service's `function` answers to `asked`; `read=True` allows one retry.

    Raises the other service's error if it is one of `raises`, ServiceUnavailable when the service does not answer in
    time or is unavailable itself, UndeclaredError for any other error.
    """
    service = CallerSettings.from_environment().service_name
    payload = {
        "headers": {
            "X-Service-Api-Key": secret("service-keys")[service][0],
            "X-Service": service,
            "X-Trace-Id": trace_id.get(),
        },
        "body": asked.to_dict(),
    }
    try:
        response = _lambda_client(2 if read else 1).invoke(FunctionName=function, Payload=json.dumps(payload))
        answered = json.loads(response["Payload"].read())
    except Exception as error:  # botocore's own types, without importing botocore for functions that never call
        log.warning("no answer from another service", extra={"function": function, "error": type(error).__name__})
        raise ServiceUnavailable(retry_after=1) from error
    if response.get("FunctionError"):
        log.warning("another service failed", extra={"function": function})
        raise ServiceUnavailable(retry_after=1)
    if "error" in answered:
        raise _error_of(answered["error"], function, raises)
    return answer.model_validate(answered["body"])


def _error_of(error: Mapping[str, Any], function: str, raises: Sequence[type[DomainError]]) -> Exception:
    code = error["code"]
    for kind in raises:
        if kind.code == code:
            return kind(error["details"])
    if code in CALLER_ERRORS:
        log.error("rejected by another service", extra={"function": function, "code": code})
    if code in CALLER_ERRORS or error["retryable"]:
        return ServiceUnavailable(retry_after=1)
    return UndeclaredError(f"{function} answered {code}")


def internal(handle: Callable[[AskedT], Model]) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """Make `handle` a function that only other services can call."""
    asked_kind = next(iter(handle.__annotations__.values()))
    import common.protection.rate_limit  # noqa: F401 - Redis's client is loaded with the function rather than at its first call

    @wraps(handle)
    def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        started = time.perf_counter()
        headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        log.structure_logs(trace_id=headers.get("x-trace-id", ""))  # in place of the keys of the call before
        trace_id.set(headers.get("x-trace-id", ""))
        try:
            caller = _check_key(headers, handle.__module__)
            _count(caller, handle.__module__)
            try:
                asked = asked_kind.model_validate(event.get("body"))
            except ValidationError:
                raise InvalidInput() from None
            body = handle(asked).to_dict()
            duration_ms = round((time.perf_counter() - started) * 1000, 1)
            log.info("called", extra={"caller": caller, "duration_ms": duration_ms})
            return {"body": body}
        except DomainError as raised:
            error = raised
        except StoreUnavailable:
            log.exception("store unavailable")
            error = ServiceUnavailable()
        log.info("rejected", extra={"caller": headers.get("x-service", "")[:64], "code": error.code})
        return {"error": {"code": error.code, "retryable": error.retryable, "details": error.details}}

    return handler


def _check_key(headers: Mapping[str, str], function: str) -> str:
    """Who calls. Raises ServiceKeyInvalid."""
    caller, offered = headers.get("x-service", ""), headers.get("x-service-api-key", "")
    # Two keys are valid while one replaces the other (INT-009).
    if not any(hmac.compare_digest(offered.encode(), key.encode()) for key in secret("service-keys").get(caller, [])):
        # INT-006: the line has its time; an invocation has no address to log.
        log.warning("service key refused", extra={"caller": caller[:64], "function": function})
        emit({"function": function}, ServiceKeyRefused=1)
        raise ServiceKeyInvalid()
    return caller


def _count(caller: str, function: str) -> None:
    """Raises RateLimited; without Redis nobody is counted, as at the edge."""
    from common.protection.rate_limit import limiter

    most = CalledSettings.from_environment().internal_calls_per_minute
    try:
        limiter(address_limits=False).admit(RouteClass(f"internal:{function}", most, None), caller, None)
    except DomainError:
        log.warning("a service calls too often", extra={"caller": caller, "function": function})
        emit({"function": function}, InternalCallsRefused=1)
        raise
