"""POST /queue/enter: take a place in an event's line, or keep it (QUEUE-001, QUEUE-010, QUEUE-021)."""

from uuid import UUID

from common.clock import utc_now
from common.edge import endpoint
from common.request import Body, User
from functions.queue.composition import waiting_room
from functions.queue.place_answer import AdmittedAnswer, WaitingAnswer, place_answer


class EnterBody(Body):
    event_id: UUID


@endpoint
def handler(user: User, body: EnterBody) -> WaitingAnswer | AdmittedAnswer:
    return place_answer(body.event_id, waiting_room().enter(body.event_id, user.id), utc_now())
