from collections.abc import Mapping
from typing import Any

import pytest

from emulator.throttle import TokenBucket, bucket_for


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    now = [0.0]
    bucket = TokenBucket(rate=2, burst=3, clock=lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] = 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def setting(path: str, method: str, rate: float) -> Mapping[str, Any]:
    return {"ResourcePath": path, "HttpMethod": method, "ThrottlingRateLimit": rate, "ThrottlingBurstLimit": rate}


@pytest.mark.parametrize(
    ("method", "resource", "burst"),
    [("GET", "/queue/status", 1), ("POST", "/queue/status", 2), ("GET", "/other", 3), ("POST", "/other", 4)],
)
def test_a_methods_own_settings_come_before_the_stages(method: str, resource: str, burst: int) -> None:
    settings = [
        setting("/*", "*", 4),
        setting("/*", "GET", 3),
        setting("/~1queue~1status", "*", 2),
        setting("/~1queue~1status", "GET", 1),
    ]
    bucket = bucket_for(settings, method, resource)
    assert bucket is not None
    assert sum(bucket.take() for _ in range(10)) == burst


def test_settings_without_a_rate_limit_nothing() -> None:
    assert bucket_for([{"ResourcePath": "/*", "HttpMethod": "*", "MetricsEnabled": True}], "GET", "/a") is None
    assert bucket_for([], "GET", "/a") is None
