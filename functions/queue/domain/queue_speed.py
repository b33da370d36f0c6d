"""How fast a queue moves, and how long a user has to wait for it."""

from dataclasses import dataclass
from math import ceil, log1p

SLOWEST_PACE = 0.02  # of the rate: a queue that has been paused is not estimated to stay paused


@dataclass(frozen=True)
class QueueSpeed:
    """Measured over the last minutes, where users are admitted."""

    per_second: float  # users admitted
    churn: float = 0.0  # the part of the waiting users that gives up in a second

    def seconds_for(self, ahead: int) -> int:
        """Until `ahead` users are admitted or have given up: n' = -per_second - churn·n, solved for n = 0."""
        if self.churn * ahead < self.per_second * 1e-6:
            return max(1, ceil(ahead / self.per_second))
        return max(1, ceil(log1p(ahead * self.churn / self.per_second) / self.churn))


def measured_speed(rate: int, pace: float | None, churn: float | None) -> QueueSpeed:
    """From the configured admissions a second and the part of them that was used (None: not measured yet)."""
    return QueueSpeed(rate * max(1 if pace is None else pace, SLOWEST_PACE), 0 if churn is None else churn)
