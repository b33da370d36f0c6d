"""GET /queue/admin/stats: every live line in numbers, or one event's (QUEUE-012)."""

from uuid import UUID

from common.domain.model import Model
from common.domain.shared_errors import NotFound
from common.http.endpoint import endpoint
from common.http.request import Admin, Query
from functions.queue.handlers.responses.queue_stats_response import StatsAnswer
from functions.queue.wiring import waiting_room


class StatsQuery(Query):
    event_id: UUID | None = None


class StatsList(Model):
    items: list[StatsAnswer]


@endpoint(raises=[NotFound])
def handler(_admin: Admin, query: StatsQuery) -> StatsList:
    return StatsList(items=[StatsAnswer.of(each) for each in waiting_room().stats(query.event_id)])
