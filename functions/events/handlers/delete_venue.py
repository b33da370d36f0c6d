"""DELETE /venues/{id}: hides a venue without upcoming events, and its halls (EVT-012)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, Request
from functions.events.domain.errors import PreconditionFailed, VenueInUse
from functions.events.handlers.preconditions import expected_versions
from functions.events.handlers.resource_paths import VenueIdPath
from functions.events.wiring import venues


@endpoint(raises=[PreconditionFailed, VenueInUse])
def handler(request: Request, _admin: Admin, path: VenueIdPath) -> None:
    venues.venue_admin().delete_venue(path.id, expected_versions(request))
