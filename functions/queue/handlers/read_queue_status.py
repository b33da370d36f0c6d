"""GET /queue/status: where the user stands, polled every five seconds (QUEUE-002)."""

from uuid import UUID

from common.domain.clock import utc_now
from common.domain.shared_errors import SaleClosed
from common.http.endpoint import endpoint
from common.http.request import Query, User
from common.protection.rate_class import QUEUE_STATUS
from functions.queue.adapters.queue_record import refusals_recorded
from functions.queue.domain.errors import NotInQueue, SoldOut
from functions.queue.handlers.responses.queue_status_response import AdmittedAnswer, WaitingAnswer, place_answer
from functions.queue.wiring import tickets, waiting_room


class StatusQuery(Query):
    event_id: UUID


@endpoint(limit=QUEUE_STATUS, raises=[NotInQueue, SaleClosed, SoldOut])
def handler(user: User, query: StatusQuery) -> WaitingAnswer | AdmittedAnswer:
    with refusals_recorded(query.event_id):
        place = waiting_room().status(query.event_id, user.id)
    return place_answer(query.event_id, user.id, place, tickets(), utc_now())
