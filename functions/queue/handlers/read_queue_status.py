"""GET /queue/status: the user's place or reservation token, polled every five seconds (QUEUE-002)."""

from common.domain.clock import utc_now
from common.domain.ids import EventId
from common.domain.shared_errors import SaleClosed
from common.http.endpoint import endpoint
from common.http.request import Query, User
from common.protection.rate_class import QUEUE_STATUS
from functions.queue import wiring
from functions.queue.adapters.queue_record import rejections_recorded
from functions.queue.domain.errors import NotInQueue, SoldOut
from functions.queue.handlers.responses.queue_status_response import (
    AdmittedResponse,
    WaitingResponse,
    queue_status_response,
)


class StatusQuery(Query):
    event_id: EventId


@endpoint(limit=QUEUE_STATUS, raises=[NotInQueue, SaleClosed, SoldOut])
def handler(user: User, query: StatusQuery) -> WaitingResponse | AdmittedResponse:
    event_id, user_id = query.event_id, user.id
    with rejections_recorded(event_id):
        status = wiring.read_queue().status(event_id, user_id)
    return queue_status_response(event_id, user_id, status, wiring.place_receipts(), utc_now())
