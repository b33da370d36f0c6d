"""DELETE /events/{id}: out of sight, unless somebody has a reservation (EVT-003)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, IdPath, Request
from functions.events.domain.entity_tag import Expected
from functions.events.domain.errors import EventHasReservations, PreconditionFailed
from functions.events.wiring import programme


@endpoint(raises=[PreconditionFailed, EventHasReservations])
def handler(request: Request, admin: Admin, path: IdPath) -> None:
    programme().delete(path.id, admin.id, Expected.by(request))
