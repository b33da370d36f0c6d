"""What operators do with queues: look at their numbers (QUEUE-012), change their rate, pause them."""

from datetime import datetime

from common.domain.clock import Clock
from common.domain.ids import EventId
from common.domain.shared_errors import ServiceUnavailable
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.domain.queue_stats import QueueStats
from functions.queue.usecases.enter_queue import SaleTermsSource


class ManageQueues:
    def __init__(self, queue: QueueRedis, events: SaleTermsSource, clock: Clock) -> None:
        self._queue = queue
        self._events = events
        self._clock = clock

    def stats(self, event_id: EventId | None) -> list[QueueStats]:
        """Of one event's queue, or of every queue whose sale is not over."""
        now = self._clock()
        if event_id is not None:
            self._refresh_terms(event_id, now)
        return self._queue.stats([event_id] if event_id else self._queue.live_queues(now), now)

    def update_settings(self, event_id: EventId, admission_per_second: int | None, paused: bool | None) -> QueueStats:
        """Change a queue's rate, or pause it, from the next second on. None leaves a setting as it is."""
        now = self._clock()
        self._refresh_terms(event_id, now)
        self._queue.update_settings(event_id, admission_per_second, paused)
        return self._queue.stats([event_id], now)[0]

    def _refresh_terms(self, event_id: EventId, now: datetime) -> None:
        """While the events service is unavailable, the last known terms are used. Raises if there are none."""
        try:
            self._queue.write_sale_terms(self._events.sale_terms(event_id), now)
        except ServiceUnavailable:
            if self._queue.serving_position(event_id, now) is None:
                raise
