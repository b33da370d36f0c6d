"""An event's line in numbers, as the admin endpoints answer it (`docs/api.md`, Waiting room)."""

from typing import Self
from uuid import UUID

from common.domain.model import Model
from functions.queue.usecases.enter_queue import LineStats


class StatsAnswer(Model):
    event_id: UUID
    waiting: int
    admitted: int
    active_tokens: int
    admission_per_second: int
    paused: bool
    oldest_wait_seconds: int
    capacity: int

    @classmethod
    def of(cls, stats: LineStats) -> Self:
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
