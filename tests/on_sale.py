"""An event's sale and its queue, for the tests of the waiting room."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from common.contracts.sale_terms import SaleTermsAnswer
from common.domain.clock import Clock
from common.domain.ids import EventId, UserId
from common.domain.shared_errors import NotFound
from common.stores.redis import Client
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.domain.queue_status import Waiting
from functions.queue.usecases.enter_queue import EnterQueue, SaleTermsSource
from functions.queue.usecases.manage_queues import ManageQueues
from functions.queue.usecases.read_queue import ReadQueue

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)


def new_event() -> EventId:
    return EventId(uuid4())


def new_user() -> UserId:
    return UserId(uuid4())


class FakeEvents:
    """The events service, which knows one event or none."""

    def __init__(self, terms: SaleTermsAnswer | None) -> None:
        self.known = terms
        self.calls = 0

    def sale_terms(self, event_id: EventId) -> SaleTermsAnswer:
        self.calls += 1
        if self.known is None:
            raise NotFound()
        return self.known


class WaitingRoom:
    """The queue service's use cases on one Redis."""

    def __init__(self, queue: QueueRedis, events: SaleTermsSource, clock: Clock) -> None:
        read, manage = ReadQueue(queue, clock), ManageQueues(queue, events, clock)
        self.enter = EnterQueue(queue, events, clock).enter
        self.status = read.status
        self.leave = queue.leave
        self.serving_position = read.serving_position
        self.stats = manage.stats
        self.update_settings = manage.update_settings


def sale(
    event_id: EventId,
    *,
    now: datetime = NOW,
    opens: timedelta = timedelta(hours=-1),
    closes: timedelta = timedelta(hours=5),
    capacity: int = 100_000,
    rate: int = 10,
    sold_out: bool = False,
    seats_left: int | None = None,
) -> SaleTermsAnswer:
    return SaleTermsAnswer(
        event_id=event_id,
        sale_starts_at=now + opens,
        sale_ends_at=now + closes,
        queue_capacity=capacity,
        admission_per_second=rate,
        sold_out=sold_out,
        seats_left=seats_left,
    )


def waiting_users(
    redis: Client, event_id: EventId, count: int, rate: int = 10, now: datetime | None = None
) -> list[UserId]:
    """`count` users who wait in the queue, in order."""
    now = now or datetime.now(UTC)
    queue = QueueRedis(redis)
    queue.write_sale_terms(sale(event_id, now=now, rate=rate), now)
    users = [new_user() for _ in range(count)]
    for user in users:
        _, status = queue.enter(event_id, user, now, None, accept_stale=True)
        assert isinstance(status, Waiting)
    return users
