"""GET /queue/serving/{eventId}: how far a line has come: one answer for everybody, so a crowd costs what one costs.

A cache in front (CloudFront) asks once a second and place, however many wait; `docs/waiting-room.md` has the client's
side.
"""

from uuid import UUID

from common.domain.model import Model
from common.domain.shared_errors import NotFound
from common.http.endpoint import Answer, ErrorWithHeaders, endpoint
from common.http.request import Path
from functions.queue.usecases.enter_queue import SaleState, Serving
from functions.queue.wiring import waiting_room

FRESH = {"Cache-Control": "public, max-age=1, s-maxage=1, stale-while-revalidate=2, stale-if-error=10"}
UNKNOWN = {"Cache-Control": "public, max-age=1, s-maxage=1"}  # its first `enter` makes a line known


class EventPath(Path):
    event_id: UUID


class ServingAnswer(Model):
    event_id: UUID
    state: SaleState
    serving: int  # whoever's `place` is at most this has been let in, or has lost it
    admitted: int  # since the sale began: what it grew by since one's last status is by how much one moved up
    waiting: int
    admission_per_second: float  # as measured
    poll_after_seconds: int = 2


def _answer(event_id: UUID, found: Serving) -> ServingAnswer:
    return ServingAnswer(
        event_id=event_id,
        state=found.state,
        serving=found.front,
        admitted=found.admitted,
        waiting=found.waiting,
        admission_per_second=round(found.speed.per_second, 2),
    )


# Not counted: behind CloudFront everybody has its address. It costs one script, and WAF's flood rule is before it.
@endpoint(limit=None, answers={200: ServingAnswer})
def handler(path: EventPath) -> Answer:
    try:
        return Answer(_answer(path.event_id, waiting_room().serving(path.event_id)), headers=FRESH)
    except NotFound as error:
        raise ErrorWithHeaders(error, UNKNOWN) from None
