"""PUT /queue/admin/events/{eventId}: change a queue's rate, or pause it, from the next second on."""

from typing import Annotated

from pydantic import Field

from common.domain.ids import EventId
from common.domain.model import Whole
from common.http.endpoint import endpoint
from common.http.request import Admin, Body, Path
from functions.queue import wiring
from functions.queue.handlers.responses.queue_stats_response import QueueStatsResponse


class EventPath(Path):
    event_id: EventId


class QueueSettingsBody(Body):
    admission_per_second: Annotated[Whole | None, Field(ge=1, le=1000)] = None
    paused: bool | None = None


@endpoint
def handler(_admin: Admin, path: EventPath, body: QueueSettingsBody) -> QueueStatsResponse:
    stats = wiring.manage_queues().update_settings(path.event_id, body.admission_per_second, body.paused)
    return QueueStatsResponse.of(stats)
