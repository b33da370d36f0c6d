"""GET /queue/admin/stats: every live queue in numbers, or one event's (QUEUE-012)."""

from common.domain.ids import EventId
from common.domain.model import Model
from common.domain.shared_errors import NotFound
from common.http.endpoint import endpoint
from common.http.request import Admin, Query
from functions.queue import wiring
from functions.queue.handlers.responses.queue_stats_response import QueueStatsResponse


class StatsQuery(Query):
    event_id: EventId | None = None


class QueueStatsListResponse(Model):
    items: list[QueueStatsResponse]


@endpoint(raises=[NotFound])
def handler(_admin: Admin, query: StatsQuery) -> QueueStatsListResponse:
    stats = wiring.manage_queues().stats(query.event_id)
    return QueueStatsListResponse(items=[QueueStatsResponse.of(each) for each in stats])
