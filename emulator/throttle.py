"""Per-method throttling: API Gateway's token bucket, from a stage's MethodSettings."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class TokenBucket:
    """`rate` tokens a second, at most `burst` saved up."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._at = burst, clock()

    def take(self) -> bool:
        """Takes a token; False if there is none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def bucket_for(settings: Sequence[Mapping[str, Any]], method: str, resource: str) -> TokenBucket | None:
    """The bucket of one method: its own settings before the stage's wildcards; None if nothing limits it.

    A ResourcePath is "/" and the resource with "~1" for "/", as in "/~1queue~1status", or "/*" for all.
    """
    best: tuple[int, Mapping[str, Any]] | None = None
    for setting in settings:
        path = str(setting.get("ResourcePath", "/*")).removeprefix("/").replace("~1", "/")
        path = path if path in ("*", "") or path.startswith("/") else f"/{path}"
        verb = str(setting.get("HttpMethod", "*")).upper()
        if path not in ("*", resource) or verb not in ("*", method):
            continue
        exactness = 2 * (path == resource) + (verb == method)
        if best is None or exactness > best[0]:
            best = exactness, setting
    if best is None:
        return None
    rate, burst = best[1].get("ThrottlingRateLimit"), best[1].get("ThrottlingBurstLimit")
    if rate is None and burst is None:
        return None
    # The missing one is the account's: 10,000 a second, 5,000 at once.
    limits = (10_000.0 if rate is None else float(rate), 5_000.0 if burst is None else float(burst))
    return None if min(limits) < 0 else TokenBucket(*limits)  # -1 means "no own limit"
