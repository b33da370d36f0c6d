"""GET /reservations/seats/{eventId}: which seats are free right now (RSV-003, RSV-008)."""

from functools import lru_cache
from uuid import UUID

from common.domain.clock import utc_now
from common.domain.model import Model
from common.http.endpoint import endpoint
from common.http.request import Path, Request, User
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.reservations.adapters.clients.events_client import catalogue
from functions.reservations.adapters.seat_holds_redis import seat_holds
from functions.reservations.wiring.tokens import queue_tokens


class EventPath(Path):
    event_id: UUID


class SeatCounts(Model):
    total: int
    available: int
    held: int
    sold: int


class SeatMap(Model):
    event_id: UUID
    seats: SeatCounts
    held: list[UUID]
    sold: list[UUID]


@lru_cache(maxsize=64)
def _seat_count(event_id: UUID) -> int:
    return catalogue.seat_count(event_id)  # an event's seats are made with it, once: fit to be kept


@endpoint(raises=QUEUE_TOKEN_ERRORS)
def handler(request: Request, user: User, path: EventPath) -> SeatMap:
    queue_tokens().check_reservation(request.queue_token, user.id, path.event_id)
    total = _seat_count(path.event_id)
    # Held first: a seat confirmed in between is then seen as sold as well, not as free.
    held = seat_holds().held(path.event_id, utc_now())
    sold = catalogue.sold(path.event_id)
    held -= set(sold)
    counts = SeatCounts(total=total, available=total - len(held) - len(sold), held=len(held), sold=len(sold))
    return SeatMap(event_id=path.event_id, seats=counts, held=sorted(held), sold=sold)
