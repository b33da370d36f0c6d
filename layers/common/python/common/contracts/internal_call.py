"""Calls to other services: direct Lambda invocation under IAM, with a service key (INT-001 to INT-007).

A call connects within 2 s and is answered within 3 s; only reads are retried, once. `common.http.internal_endpoint` is
the other side.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from common.domain.model import Model
from common.domain.shared_errors import DomainError, RateLimited, ServiceKeyInvalid, ServiceUnavailable
from common.runtime.log import log
from common.runtime.trace import trace_id

ResponseT = TypeVar("ResponseT", bound=Model)

CONNECT_SECONDS, ANSWER_SECONDS = 2, 3
# Another service rejects us, not the buyer behind the call: the buyer gets a 503, and a message is retried.
CALLER_ERRORS = (ServiceKeyInvalid.code, RateLimited.code)


class Call(Protocol):
    """How one service calls another: `InternalCaller`, or a fake in tests."""

    def __call__(
        self,
        function: str,
        request: Model,
        response: type[ResponseT],
        *,
        read: bool,
        raises: Sequence[type[DomainError]] = (),
    ) -> ResponseT: ...


class UndeclaredError(Exception):
    """Another service answered with an error that this caller does not expect: a bug."""


class InternalCaller:
    """`lambda_client` makes boto3's client that tries so many times; `key` is this service's key of the moment."""

    def __init__(self, service: str, lambda_client: Callable[[int], Any], key: Callable[[], str]) -> None:
        self._service = service
        self._lambda_client = lambda_client
        self._key = key

    def __call__(
        self,
        function: str,
        request: Model,
        response: type[ResponseT],
        *,
        read: bool,
        raises: Sequence[type[DomainError]] = (),
    ) -> ResponseT:
        """What another service's `function` answers to `request`; `read=True` allows one retry.

        Raises the other service's error if it is one of `raises`, ServiceUnavailable when the service does not answer
        in time or is unavailable itself, UndeclaredError for any other error.
        """
        payload = {
            "headers": {
                "X-Service-Api-Key": self._key(),
                "X-Service": self._service,
                "X-Trace-Id": trace_id.get(),
            },
            "body": request.to_dict(),
        }
        try:
            invoked = self._lambda_client(2 if read else 1).invoke(FunctionName=function, Payload=json.dumps(payload))
            answered = json.loads(invoked["Payload"].read())
        except Exception as error:  # botocore's own types, without importing botocore for functions that never call
            log.warning("no answer from another service", extra={"function": function, "error": type(error).__name__})
            raise ServiceUnavailable(retry_after=1) from error
        if invoked.get("FunctionError"):
            log.warning("another service failed", extra={"function": function})
            raise ServiceUnavailable(retry_after=1)
        if "error" in answered:
            raise _error_of(answered["error"], function, raises)
        if "body" not in answered:  # another version's form, while a deployment replaces it
            log.warning("unknown answer from another service", extra={"function": function})
            raise ServiceUnavailable(retry_after=1)
        return response.model_validate(answered["body"])


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
