"""GET /queue/serving/{eventId}: how far a queue has come. The same for everyone, so a cache can answer for a crowd.

A cache in front (CloudFront) sends one request a second from each of its locations, however many users wait;
`docs/waiting-room.md` describes the client's side.
"""

from common.domain.ids import EventId
from common.domain.model import Model
from common.domain.shared_errors import NotFound
from common.http.endpoint import ErrorWithHeaders, Response, endpoint
from common.http.request import Path
from functions.queue import wiring
from functions.queue.domain.queue_stats import SaleState, ServingPosition

FOUND_HEADERS = {"Cache-Control": "public, max-age=1, s-maxage=1, stale-while-revalidate=2, stale-if-error=10"}
NOT_FOUND_HEADERS = {"Cache-Control": "public, max-age=1, s-maxage=1"}  # a queue is known after its first `enter`


class EventPath(Path):
    event_id: EventId


class ServingPositionResponse(Model):
    event_id: EventId
    state: SaleState
    serving: int  # users whose `place` is at most this have been admitted, or have lost the place
    admitted: int  # since the sale began: by its growth since their last status a client moves a user up
    waiting: int
    admission_per_second: float  # as measured
    poll_after_seconds: int = 2


def _response(event_id: EventId, found: ServingPosition) -> ServingPositionResponse:
    return ServingPositionResponse(
        event_id=event_id,
        state=found.state,
        serving=found.front,
        admitted=found.admitted,
        waiting=found.waiting,
        admission_per_second=round(found.speed.per_second, 2),
    )


# Without a rate limit: behind CloudFront, all requests have its address. It costs one script, and WAF's flood rule is
# in front of it.
@endpoint(limit=None, responses={200: ServingPositionResponse})
def handler(path: EventPath) -> Response:
    try:
        found = wiring.read_queue().serving_position(path.event_id)
    except NotFound as error:
        raise ErrorWithHeaders(error, NOT_FOUND_HEADERS) from None
    return Response(_response(path.event_id, found), headers=FOUND_HEADERS)
