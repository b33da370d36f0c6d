"""GET /events/{id}/seats/layout: where an event's seats are and what they are called (EVT-006).

Until the sale starts it may change; a client that names the version it wants (`?version=`, from /seats/status) may keep
it for a day, and so may everybody on the way.
"""

from common.http.endpoint import Answer, endpoint
from common.http.request import IdPath, Query, Request
from functions.events.domain.seat_layout import SeatLayoutAnswer
from functions.events.handlers.responses.conditional_response import A_DAY, REVALIDATE, unless_known
from functions.events.wiring import reads


class LayoutQuery(Query):
    version: int | None = None


@endpoint(answers={200: SeatLayoutAnswer, 304: None})
def handler(request: Request, path: IdPath, query: LayoutQuery) -> Answer:
    version = reads().seat_statuses(path.id).layout_version
    layout = reads().seat_layout(path.id, version)
    return unless_known(request, layout.tag, lambda: layout.json, A_DAY if query.version == version else REVALIDATE)
