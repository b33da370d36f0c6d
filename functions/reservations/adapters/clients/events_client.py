"""What reservations asks of events."""

from collections.abc import Sequence
from uuid import UUID

from common.contracts.internal_call import call
from common.contracts.seat_catalogue import SeatCatalogueAnswer, SeatCatalogueAsked
from common.contracts.seat_status import SeatStatusAnswer, SeatStatusAsked
from common.domain.shared_errors import NotFound
from common.runtime.settings import Settings
from functions.reservations.domain.reservation import Seat
from functions.reservations.usecases.hold_seats import Offer


class CatalogueSettings(Settings):
    seat_catalogue_function: str
    seat_status_function: str


def offer_of(answer: SeatCatalogueAnswer) -> Offer:
    return Offer(
        title=answer.title,
        starts_at=answer.starts_at,
        sale_ends_at=answer.sale_ends_at,
        cancelled=answer.cancelled,
        max_seats=answer.max_seats,
        seats=tuple(Seat(seat.id, seat.number, seat.grade, seat.price) for seat in answer.seats),
        sold=frozenset(seat.id for seat in answer.seats if seat.status == "SOLD"),
        sale_starts_at=answer.sale_starts_at,
    )


class EventCatalogue:
    """The events service, asked by direct invocation; only a function that asks needs to know its name."""

    def offer(self, event_id: UUID, seat_ids: Sequence[UUID]) -> Offer:
        return offer_of(self._ask(event_id, seat_ids))

    def seat_count(self, event_id: UUID) -> int:
        return self._ask(event_id, []).seat_count

    def sold(self, event_id: UUID) -> list[UUID]:
        function = CatalogueSettings.from_environment().seat_status_function
        return call(
            function, SeatStatusAsked(event_id=event_id), SeatStatusAnswer, read=True, raises=(NotFound,)
        ).sold_seat_ids

    def _ask(self, event_id: UUID, seat_ids: Sequence[UUID]) -> SeatCatalogueAnswer:
        function = CatalogueSettings.from_environment().seat_catalogue_function
        asked = SeatCatalogueAsked(event_id=event_id, seat_ids=list(seat_ids))
        return call(function, asked, SeatCatalogueAnswer, read=True, raises=(NotFound,))


catalogue = EventCatalogue()
