"""DELETE /venues/{id}: a venue and its halls, once no event there is to come (EVT-012)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, IdPath, Request
from functions.events.composition import venues
from functions.events.problems import PRECONDITION_FAILED, VENUE_IN_USE
from functions.events.revision import Expected


@endpoint(refuses=[PRECONDITION_FAILED, VENUE_IN_USE])
def handler(request: Request, _admin: Admin, path: IdPath) -> None:
    venues().delete(path.id, Expected.by(request))
