"""DELETE /venues/{id}: a venue and its halls, once no event there is to come (EVT-012)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, IdPath, Request
from functions.events.composition import venues
from functions.events.errors import PreconditionFailed, VenueInUse
from functions.events.revision import Expected


@endpoint(raises=[PreconditionFailed, VenueInUse])
def handler(request: Request, _admin: Admin, path: IdPath) -> None:
    venues().delete(path.id, Expected.by(request))
