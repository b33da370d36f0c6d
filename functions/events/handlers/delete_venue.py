"""DELETE /venues/{id}: a venue and its halls, once no event there is to come (EVT-012)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, IdPath, Request
from functions.events.domain.entity_tag import Expected
from functions.events.domain.errors import PreconditionFailed, VenueInUse
from functions.events.wiring import venues


@endpoint(raises=[PreconditionFailed, VenueInUse])
def handler(request: Request, _admin: Admin, path: IdPath) -> None:
    venues().delete(path.id, Expected.by(request))
