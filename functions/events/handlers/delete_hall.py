"""DELETE /venues/{id}/halls/{hallId}: hides a hall without upcoming events (EVT-015)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, Request
from functions.events.domain.errors import HallInUse, PreconditionFailed
from functions.events.handlers.preconditions import expected_versions
from functions.events.handlers.resource_paths import HallPath
from functions.events.wiring import venues


@endpoint(raises=[PreconditionFailed, HallInUse])
def handler(request: Request, _admin: Admin, path: HallPath) -> None:
    venues.venue_admin().delete_hall(path.id, path.hall_id, expected_versions(request))
