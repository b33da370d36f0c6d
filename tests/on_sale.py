"""An event's sale and its line, for the tests of the waiting room."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from common.contracts.sale_terms import SaleTermsAnswer
from common.domain.shared_errors import NotFound
from common.stores.redis import Client
from functions.queue.adapters.queue_redis import LineStore
from functions.queue.usecases.enter_queue import Waiting

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)


class FakeSales:
    """The events service, knowing one event or none."""

    def __init__(self, terms: SaleTermsAnswer | None) -> None:
        self.known = terms
        self.asked = 0

    def terms(self, event_id: UUID) -> SaleTermsAnswer:
        self.asked += 1
        if self.known is None:
            raise NotFound()
        return self.known


def sale(
    event_id: UUID,
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


def in_line(redis: Client, event_id: UUID, count: int, rate: int = 10, now: datetime | None = None) -> list[UUID]:
    """`count` users in line, in order."""
    now = now or datetime.now(UTC)
    line = LineStore(redis)
    line.learn(sale(event_id, now=now, rate=rate), now)
    users = [uuid4() for _ in range(count)]
    for user in users:
        _, place = line.enter(event_id, user, now, None, accept_stale=True)
        assert isinstance(place, Waiting)
    return users
