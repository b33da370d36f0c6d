"""A queue in numbers, for operators (`docs/api.md`, Waiting room)."""

from typing import Self

from common.domain.ids import EventId
from common.domain.model import Model
from functions.queue.domain.queue_stats import QueueStats


class QueueStatsResponse(Model):
    event_id: EventId
    waiting: int
    admitted: int
    active_tokens: int
    admission_per_second: int
    paused: bool
    oldest_wait_seconds: int
    capacity: int

    @classmethod
    def of(cls, stats: QueueStats) -> Self:
        return cls(
            event_id=stats.event_id,
            waiting=stats.waiting,
            admitted=stats.admitted,
            active_tokens=stats.active_tokens,
            admission_per_second=stats.admission_per_second,
            paused=stats.paused,
            oldest_wait_seconds=int(stats.oldest_wait.total_seconds()),
            capacity=stats.capacity,
        )
