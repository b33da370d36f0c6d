"""How a caller handles another service's answer (INT-001 to INT-007)."""

import io
import json
from typing import Any

import pytest

from common.contracts.internal_call import InternalCaller, UndeclaredError
from common.domain.model import Model
from common.domain.shared_errors import HoldExpired, NotFound, ServiceUnavailable


class Ping(Model):
    pass


def call(answer: dict[str, Any], *raises: type[NotFound | HoldExpired]) -> Ping:
    class Lambda:
        def invoke(self, **_: str) -> dict[str, Any]:
            return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    return InternalCaller("queue", lambda _attempts: Lambda(), lambda: "key")(
        "Ping", Ping(), Ping, read=True, raises=raises
    )


def error(code: str, *, retryable: bool = False) -> dict[str, Any]:
    return {"error": {"code": code, "retryable": retryable, "details": {"status": "CANCELLED"}}}


def test_a_declared_error_is_raised_as_its_class_with_its_details() -> None:
    with pytest.raises(HoldExpired) as raised:
        call(error("HOLD_EXPIRED"), NotFound, HoldExpired)
    assert raised.value.details == {"status": "CANCELLED"}


def test_an_undeclared_error_is_a_bug_and_not_passed_to_the_buyer() -> None:
    with pytest.raises(UndeclaredError, match="Ping answered HOLD_EXPIRED"):
        call(error("HOLD_EXPIRED"), NotFound)


@pytest.mark.parametrize(
    "answer",
    [
        error("SERVICE_UNAVAILABLE", retryable=True),
        error("RATE_LIMITED", retryable=True),
        error("SERVICE_KEY_INVALID"),  # this service is rejected, not the buyer behind the call
        {"refusal": {"code": "NOT_FOUND"}},  # of an older version
        {},
    ],
    ids=["unavailable", "limited", "key", "older version", "empty"],
)
def test_an_error_that_the_buyer_did_not_cause_is_a_503(answer: dict[str, Any]) -> None:
    with pytest.raises(ServiceUnavailable) as raised:
        call(answer, NotFound)
    assert raised.value.retry_after == 1
