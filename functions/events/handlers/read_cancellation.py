"""GET /events/{id}/cancellation: how far the refunds of a cancelled event have come (EVT-028)."""

from common.http.endpoint import endpoint
from common.http.request import Admin
from functions.events.handlers.resource_paths import EventIdPath
from functions.events.handlers.responses.cancellation_response import CancellationResponse
from functions.events.wiring import administration


@endpoint
def handler(_admin: Admin, path: EventIdPath) -> CancellationResponse:
    return CancellationResponse.of(administration.cancellation_reader().progress(path.id))
