"""DELETE /events/{id}: out of sight, unless somebody has a reservation (EVT-003)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, IdPath, Request
from functions.events.composition import programme
from functions.events.errors import EventHasReservations, PreconditionFailed
from functions.events.revision import Expected


@endpoint(raises=[PreconditionFailed, EventHasReservations])
def handler(request: Request, admin: Admin, path: IdPath) -> None:
    programme().delete(path.id, admin.id, Expected.by(request))
