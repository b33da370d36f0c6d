"""Calls to the events service."""

from collections.abc import Sequence

from common.contracts.internal_call import Call
from common.contracts.seat_catalogue import SeatCatalogueRequest, SeatCatalogueResponse
from common.contracts.sold_seats import SoldSeatsRequest, SoldSeatsResponse
from common.domain.ids import EventId, SeatId
from common.domain.shared_errors import NotFound
from functions.reservations.domain.reservation import Seat
from functions.reservations.domain.sale_offer import SaleOffer


def offer_of(answer: SeatCatalogueResponse) -> SaleOffer:
    return SaleOffer(
        title=answer.title,
        starts_at=answer.starts_at,
        sale_ends_at=answer.sale_ends_at,
        cancelled=answer.cancelled,
        max_seats=answer.max_seats,
        seats=tuple(Seat(seat.id, seat.number, seat.grade, seat.price) for seat in answer.seats),
        sold=frozenset(seat.id for seat in answer.seats if seat.status == "SOLD"),
        sale_starts_at=answer.sale_starts_at,
        max_seats_per=answer.max_seats_per,
    )


class EventsClient:
    """Each method raises NotFound if the event does not exist."""

    def __init__(self, call: Call, catalogue_function: str) -> None:
        self._call = call
        self._function = catalogue_function

    def offer(self, event_id: EventId, seat_ids: Sequence[SeatId]) -> SaleOffer:
        return offer_of(self._read(event_id, seat_ids))

    def seat_count(self, event_id: EventId) -> int:
        return self._read(event_id, []).seat_count

    def _read(self, event_id: EventId, seat_ids: Sequence[SeatId]) -> SeatCatalogueResponse:
        request = SeatCatalogueRequest(event_id=event_id, seat_ids=list(seat_ids))
        return self._call(self._function, request, SeatCatalogueResponse, read=True, raises=(NotFound,))


class SoldSeatsClient:
    """The events service's seat statuses, which only the seat map needs."""

    def __init__(self, call: Call, status_function: str) -> None:
        self._call = call
        self._function = status_function

    def sold(self, event_id: EventId) -> list[SeatId]:
        """Raises NotFound if the event does not exist."""
        request = SoldSeatsRequest(event_id=event_id)
        return self._call(self._function, request, SoldSeatsResponse, read=True, raises=(NotFound,)).sold_seat_ids
