"""Makes a Lambda handler that only other services can call (INT-001 to INT-010).

It has no route, so `/internal/**` does not exist on the public API (INT-008). The service key is checked before
anything else is looked at; calls are counted by caller and called function (INT-010).
"""

import hmac
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

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
from common.protection.rate_class import RateClass
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.settings import Settings
from common.runtime.trace import trace_id
from common.wiring.rate_limiter import rate_limiter
from common.wiring.secret_cache import secret

RequestT = TypeVar("RequestT", bound=Model)


class InternalEndpointSettings(Settings):
    internal_calls_per_minute: int = 6000


def internal(handle: Callable[[RequestT], Model]) -> Callable[[Mapping[str, Any], Any], dict[str, Any]]:
    """Make `handle` a function that only other services can call."""
    request_kind = next(iter(handle.__annotations__.values()))

    @wraps(handle)
    def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        started = time.perf_counter()
        headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        log.structure_logs(trace_id=headers.get("x-trace-id", ""))  # replaces the keys of the previous call
        trace_id.set(headers.get("x-trace-id", ""))
        try:
            caller = _check_key(headers, handle.__module__)
            _count(caller, handle.__module__)
            try:
                request = request_kind.model_validate(event.get("body"))
            except ValidationError:
                raise InvalidInput() from None
            body = handle(request).to_dict()
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
    """The calling service. Raises ServiceKeyInvalid."""
    caller, offered = headers.get("x-service", ""), headers.get("x-service-api-key", "")
    # Two keys are valid while one replaces the other (INT-009).
    if not any(hmac.compare_digest(offered.encode(), key.encode()) for key in secret("service-keys").get(caller, [])):
        # INT-006: the record has its time; an invocation has no address to log.
        log.warning("service key rejected", extra={"caller": caller[:64], "function": function})
        emit({"function": function}, ServiceKeyRefused=1)
        raise ServiceKeyInvalid()
    return caller


def _count(caller: str, function: str) -> None:
    """Raises RateLimited. While Redis is unavailable calls are not counted, as for public endpoints."""
    most = InternalEndpointSettings.from_environment().internal_calls_per_minute
    try:
        rate_limiter(address_limits=False).admit(RateClass(f"internal:{function}", most), caller, None)
    except RateLimited:
        log.warning("a service calls too often", extra={"caller": caller, "function": function})
        emit({"function": function}, InternalCallsRefused=1)
        raise
