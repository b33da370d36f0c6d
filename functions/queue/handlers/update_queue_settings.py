"""PUT /queue/admin/events/{eventId}: change a line's rate or pause it, from the next second on."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.domain.model import Whole
from common.http.endpoint import endpoint
from common.http.request import Admin, Body, Path
from functions.queue.handlers.responses.queue_stats_response import StatsAnswer
from functions.queue.wiring import waiting_room


class EventPath(Path):
    event_id: UUID


class SteerBody(Body):
    admission_per_second: Annotated[Whole | None, Field(ge=1, le=1000)] = None
    paused: bool | None = None


@endpoint
def handler(_admin: Admin, path: EventPath, body: SteerBody) -> StatsAnswer:
    return StatsAnswer.of(waiting_room().steer(path.event_id, body.admission_per_second, body.paused))
