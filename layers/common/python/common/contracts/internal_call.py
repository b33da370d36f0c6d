"""Calls between services: direct Lambda invocation under IAM, with a service key (INT-001 to INT-007).

Nothing here has a route, so `/internal/**` does not exist on the public API (INT-008). A call connects within 2 s and
answers within 3 s; only reads are repeated, once. Who may call is asked before anything else is looked at, and how
often is counted by caller and called function (INT-010).
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any, TypeVar

from pydantic import ValidationError

from common.domain.model import Model
from common.domain.problem import (
    SERVICE_KEY_INVALID,
    SERVICE_UNAVAILABLE,
    VALIDATION_ERROR,
    Problem,
    Refusal,
    store_away,
)
from common.protection.rate_class import RATE_LIMITED, RouteClass
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.settings import Settings
from common.runtime.trace import trace_id
from common.stores.secrets import secret

AnswerT = TypeVar("AnswerT", bound=Model)
AskedT = TypeVar("AskedT", bound=Model)


CONNECT_SECONDS, ANSWER_SECONDS = 2, 3
# What another service refuses us for, but nobody who called us: to him we are away, and a message comes again.
OURS = (SERVICE_KEY_INVALID.code, RATE_LIMITED.code)


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


def call(function: str, asked: Model, answer: type[AnswerT], *, read: bool) -> AnswerT:
    """What another service's `function` answers to `asked`.

    Raises the other side's `Refusal` as it was given, or SERVICE_UNAVAILABLE when it gave no answer in time.
    `read=True` allows the one retry.
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
        raise SERVICE_UNAVAILABLE.refusal(headers={"Retry-After": "1"}) from error
    if response.get("FunctionError"):
        log.warning("another service failed", extra={"function": function})
        raise SERVICE_UNAVAILABLE.refusal(headers={"Retry-After": "1"})
    if "refusal" in answered:
        if answered["refusal"]["code"] in OURS:
            log.error("refused by another service", extra={"function": function, "code": answered["refusal"]["code"]})
            raise SERVICE_UNAVAILABLE.refusal(headers={"Retry-After": "1"})
        raise Refusal(Problem(**answered["refusal"]), answered["details"])
    return answer.model_validate(answered["body"])


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
                raise VALIDATION_ERROR.refusal() from None
            body = handle(asked).to_dict()
            duration_ms = round((time.perf_counter() - started) * 1000, 1)
            log.info("called", extra={"caller": caller, "duration_ms": duration_ms})
            return {"body": body}
        except Refusal as refused:
            refusal = refused
        except store_away():
            log.exception("a store is away")
            refusal = SERVICE_UNAVAILABLE.refusal()
        problem = refusal.problem
        log.info("called and refused", extra={"caller": headers.get("x-service", "")[:64], "code": problem.code})
        return {
            "refusal": {"code": problem.code, "status": problem.status, "ko": problem.ko, "en": problem.en},
            "details": refusal.details,
        }

    return handler


def _check_key(headers: Mapping[str, str], function: str) -> str:
    """Who calls. Refuses SERVICE_KEY_INVALID."""
    caller, offered = headers.get("x-service", ""), headers.get("x-service-api-key", "")
    # Two keys are valid while one replaces the other (INT-009).
    if not any(hmac.compare_digest(offered.encode(), key.encode()) for key in secret("service-keys").get(caller, [])):
        # INT-006: the line has its time; an invocation has no address to log.
        log.warning("service key refused", extra={"caller": caller[:64], "function": function})
        emit({"function": function}, ServiceKeyRefused=1)
        raise SERVICE_KEY_INVALID.refusal()
    return caller


def _count(caller: str, function: str) -> None:
    """Refuses RATE_LIMITED; without Redis nobody is counted, as at the edge."""
    from common.protection.rate_limit import limiter

    most = CalledSettings.from_environment().internal_calls_per_minute
    try:
        limiter(address_limits=False).admit(RouteClass(f"internal:{function}", most, None), caller, None)
    except Refusal:
        log.warning("a service calls too often", extra={"caller": caller, "function": function})
        emit({"function": function}, InternalCallsRefused=1)
        raise
