"""DELETE /queue/leave: give up the place, and the token in hand."""

from uuid import UUID

from common.http.endpoint import endpoint
from common.http.request import Query, User
from functions.queue.adapters.queue_record import record
from functions.queue.wiring import waiting_room


class LeaveQuery(Query):
    event_id: UUID


@endpoint
def handler(user: User, query: LeaveQuery) -> None:
    waiting_room().leave(query.event_id, user.id)
    record(query.event_id, "LEFT")
