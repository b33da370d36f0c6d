"""DELETE /venues/{id}/halls/{hallId}: a hall, once no event there is to come (EVT-015)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, Request
from functions.events.domain.entity_tag import Expected
from functions.events.domain.errors import HallInUse, PreconditionFailed
from functions.events.handlers.path_models import HallPath
from functions.events.wiring import venues


@endpoint(raises=[PreconditionFailed, HallInUse])
def handler(request: Request, _admin: Admin, path: HallPath) -> None:
    venues().delete_hall(path.id, path.hall_id, Expected.by(request))
