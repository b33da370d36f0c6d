"""DELETE /events/{id}: hides an event that has no reservations (EVT-003)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, Request
from functions.events.domain.errors import EventHasReservations, PreconditionFailed
from functions.events.handlers.preconditions import expected_versions
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.wiring import administration


@endpoint(raises=[PreconditionFailed, EventHasReservations])
def handler(request: Request, admin: Admin, path: EventIdPath) -> None:
    administration.event_deletion().delete(path.id, admin.id, expected_versions(request))
