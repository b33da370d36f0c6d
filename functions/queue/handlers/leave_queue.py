"""DELETE /queue/leave: give up the place, the reservation token and the queue membership."""

from common.domain.ids import EventId
from common.http.endpoint import endpoint
from common.http.request import Query, User
from functions.queue import wiring
from functions.queue.adapters.queue_record import record


class LeaveQuery(Query):
    event_id: EventId


@endpoint
def handler(user: User, query: LeaveQuery) -> None:
    wiring.queue().leave(query.event_id, user.id)
    record(query.event_id, "LEFT")
