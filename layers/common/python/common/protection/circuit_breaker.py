"""A circuit breaker whose state all execution environments share through Redis (GW-007, PAY-009).

    with breaker.attempt():
        response = client.get(…)

While it is closed, calls go out and are counted. When more than half of the last minute's calls failed, it opens: for a
minute no call waits for a party that does not answer, and the party gets a rest. Then one call at a time is a trial; a
success closes the breaker, a failure opens it for another minute. pybreaker shares its state too, but opens after
failures in a row, which a party that fails every second call never reaches.

While Redis is unavailable every call goes out, bounded by its own timeout.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.domain.clock import Clock
from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores.redis import REDIS_FAILURES, Client, Script

Attempt = Callable[[], AbstractContextManager[None]]

_LUA = Path(__file__).parent / "lua"


class CircuitOpen(Exception):
    """The call was not made, because the party has been failing. `retry_after` is in seconds, at least 1."""

    def __init__(self, name: str, retry_after: int) -> None:
        super().__init__(f"the circuit to {name} is open")
        self.retry_after = retry_after


@dataclass(frozen=True)
class BreakerTerms:
    window_seconds: int = 60
    least_calls: int = 10  # in the window; fewer say nothing
    failing_percent: int = 50
    open_seconds: int = 60
    trial_seconds: int = 15  # longer than any call: a trial whose process crashes blocks the next one that long


class CircuitBreaker:
    """`name` is the party that is called; an exception of `failures` counts as its failure, any other as its
    success."""

    def __init__(
        self,
        name: str,
        redis: Client,
        clock: Clock,
        failures: tuple[type[Exception], ...],
        terms: BreakerTerms | None = None,
    ) -> None:
        self._name = name
        self._key = f"circuit:{{{name}}}"
        self._redis = redis
        self._clock = clock
        self._failures = failures
        self._terms = terms or BreakerTerms()
        self._permit = Script(_LUA / "permit_circuit_call.lua")
        self._report = Script(_LUA / "report_circuit_call.lua")

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Raises CircuitOpen instead of entering. If the process crashes inside, the call is not counted."""
        trial = self._is_trial()
        try:
            yield
        except self._failures:
            self._count(failed=True, trial=trial)
            raise
        except Exception:
            self._count(failed=False, trial=trial)
            raise
        self._count(failed=False, trial=trial)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)

    def _is_trial(self) -> bool:
        """Whether this call is a trial. Raises CircuitOpen."""
        arguments = [self._now_ms(), self._terms.open_seconds * 1000, self._terms.trial_seconds * 1000]
        try:
            state, *left = self._permit(self._redis, [self._key], arguments)
        except REDIS_FAILURES:
            log.warning("Redis unavailable: a circuit breaker is not checked", extra={"circuit": self._name})
            return False
        if state == "OPEN":
            emit({"circuit": self._name}, CircuitRefused=1)
            raise CircuitOpen(self._name, max(1, -(-int(left[0]) // 1000)))
        return bool(state == "TRIAL")

    def _count(self, *, failed: bool, trial: bool) -> None:
        terms = self._terms
        arguments = [
            *(self._now_ms(), int(failed), int(trial), terms.window_seconds * 1000),
            *(terms.least_calls, terms.failing_percent, terms.open_seconds * 1000),
        ]
        try:
            change = self._report(self._redis, [self._key], arguments)
        except REDIS_FAILURES:
            return
        if change:
            log.warning("circuit", extra={"circuit": self._name, "now": change})
            emit({"circuit": self._name}, **{"CircuitOpened" if change == "OPENED" else "CircuitClosed": 1})
