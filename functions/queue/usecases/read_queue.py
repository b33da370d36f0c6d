"""Reading a queue: a user's own status (QUEUE-002), and how far the queue has come."""

from common.domain.clock import Clock
from common.domain.ids import EventId, UserId
from common.domain.shared_errors import NotFound
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.domain.errors import NotInQueue
from functions.queue.domain.queue_stats import ServingPosition
from functions.queue.domain.queue_status import QueueStatus, Rejected


class ReadQueue:
    def __init__(self, queue: QueueRedis, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock

    def status(self, event_id: EventId, user_id: UserId) -> QueueStatus:
        status = self._queue.read_status(event_id, user_id, self._clock())
        if status is None:
            raise NotInQueue()
        if isinstance(status, Rejected):
            raise status.error()
        return status

    def serving_position(self, event_id: EventId) -> ServingPosition:
        """Raises NotFound until a user has tried to enter. Anyone may ask for any id, so the events service is called
        only for users who enter.
        """
        found = self._queue.serving_position(event_id, self._clock())
        if found is None:
            raise NotFound()
        return found
