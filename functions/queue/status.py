"""GET /queue/status: where the user stands, polled every five seconds (QUEUE-002)."""

from uuid import UUID

from common.clock import utc_now
from common.edge import endpoint
from common.request import Query, User
from functions.queue.composition import waiting_room
from functions.queue.place_answer import AdmittedAnswer, WaitingAnswer, place_answer


class StatusQuery(Query):
    event_id: UUID


@endpoint
def handler(user: User, query: StatusQuery) -> WaitingAnswer | AdmittedAnswer:
    return place_answer(query.event_id, waiting_room().status(query.event_id, user.id), utc_now())
