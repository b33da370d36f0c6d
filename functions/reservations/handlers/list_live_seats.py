"""Internal: the seats of an event's live reservations and the holds in Redis, called by reconciliation (EVT-030)."""

from common.contracts.live_seats import LiveSeatsRequest, LiveSeatsResponse
from common.http.internal_endpoint import internal
from functions.reservations.wiring import purchases


@internal
def handler(request: LiveSeatsRequest) -> LiveSeatsResponse:
    return purchases.list_live_seats().page(request.event_id, request.after)
