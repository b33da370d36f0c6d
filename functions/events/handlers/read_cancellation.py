"""GET /events/{id}/cancellation: how far the refunds of a cancelled event have come (EVT-028)."""

from common.http.endpoint import endpoint
from common.http.request import Admin, IdPath
from functions.events.usecases.event_admin import CancellationAnswer
from functions.events.wiring import programme


@endpoint
def handler(_admin: Admin, path: IdPath) -> CancellationAnswer:
    return programme().cancellation(path.id)
