"""Which internal calls are accepted, how many, and what is logged about rejected ones (INT-004 to INT-010)."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from common.contracts.internal_call import InternalCaller
from common.domain.clock import utc_now
from common.domain.model import Model
from common.domain.shared_errors import DomainError, ServiceUnavailable
from common.http import internal_endpoint
from common.protection.rate_limit import RateLimiter
from common.stores.redis import Client, connect
from common.wiring.internal_caller import lambda_client
from tests.support.concurrently import concurrently

Invoke = Callable[..., dict[str, Any]]


class Ping(Model):
    pass


@internal_endpoint.internal
def ping(request: Ping) -> Ping:
    return Ping()


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, redis: Client) -> Invoke:
    monkeypatch.setattr(internal_endpoint, "secret", lambda _name: {"queue": ["right", "next"], "events": ["other"]})
    monkeypatch.setenv("INTERNAL_CALLS_PER_MINUTE", "10")
    limiter = RateLimiter(redis, utc_now)
    monkeypatch.setattr(internal_endpoint, "rate_limiter", lambda address_limits: limiter)

    def call(service: str = "queue", key: str = "right") -> dict[str, Any]:
        answer: dict[str, Any] = ping({"headers": {"x-service": service, "X-SERVICE-API-KEY": key}, "body": {}}, None)
        return answer

    return call


@pytest.mark.parametrize(
    ("service", "key"), [("queue", "wrong"), ("queue", ""), ("queue", "other"), ("unknown", "right"), ("", "")]
)
def test_a_wrong_key_is_rejected_and_logged(
    invoke: Invoke,
    service: str,
    key: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(service, key)["error"]["code"] == "SERVICE_KEY_INVALID"

    (audit,) = (vars(record) for record in caplog.records if record.getMessage() == "service key rejected")
    assert (audit["caller"], audit["function"]) == (service, ping.__module__)
    assert abs(audit["created"] - time.time()) < 60
    assert key not in [value for name, value in audit.items() if name != "caller" and value]
    (metric,) = (json.loads(line) for line in capsys.readouterr().out.splitlines() if "ServiceKeyRefused" in line)
    assert (metric["ServiceKeyRefused"], metric["function"]) == ([1.0], ping.__module__)


def test_both_keys_of_a_service_are_accepted(invoke: Invoke) -> None:
    assert "body" in invoke(key="right")
    assert "body" in invoke(key="next")


@pytest.mark.usefixtures("invoke")
@pytest.mark.parametrize("event", [{}, {"headers": None}, {"headers": {"X-Service": "queue"}, "body": {}}])
def test_a_call_without_a_key_is_rejected(event: dict[str, Any]) -> None:
    assert ping(event, None)["error"]["code"] == "SERVICE_KEY_INVALID"


def test_concurrent_calls_are_counted_for_each_caller(invoke: Invoke) -> None:
    answers = concurrently([partial(invoke) for _ in range(30)])

    assert sum("body" in answer for answer in answers if isinstance(answer, dict)) == 12  # 10, and a fifth more
    assert {answer["error"]["code"] for answer in answers if isinstance(answer, dict) and "error" in answer} == {
        "RATE_LIMITED"
    }
    assert "body" in invoke("events", "other")


def test_calls_with_a_wrong_key_are_not_counted(invoke: Invoke) -> None:
    for _ in range(50):
        invoke(key="wrong")

    assert "body" in invoke()


def test_while_redis_is_unavailable_calls_are_not_limited(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(connect("redis://127.0.0.1:9", cluster=False), utc_now)
    monkeypatch.setattr(internal_endpoint, "rate_limiter", lambda address_limits: limiter)

    assert all("body" in invoke() for _ in range(20))


# -- the caller's side -------------------------------------------------------------------------------------------------


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name, value in {
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    lambda_client.cache_clear()
    yield monkeypatch
    lambda_client.cache_clear()


@pytest.mark.measures_time(reason="a connection attempt ends within 1.9 to 2.9 s")
def test_a_call_that_cannot_connect_fails_after_two_seconds(caller: pytest.MonkeyPatch) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # nothing accepts: two connections fill the backlog, and the kernel does not answer the next
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        caller.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{full.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(DomainError) as raised:
            InternalCaller("queue", lambda_client, lambda: "key")("SaleTerms", Ping(), Ping, read=False)

    assert type(raised.value) is ServiceUnavailable
    assert 1.9 <= time.monotonic() - began < 2.9
