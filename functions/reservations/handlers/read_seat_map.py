"""GET /reservations/seats/{eventId}: which seats are free right now (RSV-003, RSV-008)."""

from common.domain.ids import EventId, SeatId
from common.domain.model import Model
from common.http.endpoint import endpoint
from common.http.request import Path, Request, User
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.reservations.wiring import seat_map, tokens


class EventPath(Path):
    event_id: EventId


class SeatCounts(Model):
    total: int
    available: int
    held: int
    sold: int


class SeatMapResponse(Model):
    event_id: EventId
    seats: SeatCounts
    held: list[SeatId]
    sold: list[SeatId]


@endpoint(raises=QUEUE_TOKEN_ERRORS)
def handler(request: Request, user: User, path: EventPath) -> SeatMapResponse:
    tokens.queue_tokens().check_reservation(request.queue_token, user.id, path.event_id)
    seats = seat_map.read_seat_map().read(path.event_id)
    counts = SeatCounts(total=seats.total, available=seats.available, held=len(seats.held), sold=len(seats.sold))
    return SeatMapResponse(event_id=path.event_id, seats=counts, held=seats.held, sold=seats.sold)
