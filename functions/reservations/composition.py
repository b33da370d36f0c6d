"""The reservations service put together: built on the first request, kept for the warm container."""

from collections.abc import Sequence
from functools import cache
from uuid import UUID

from common import redis
from common.clock import new_id, utc_now
from common.internal import call
from common.outbox import Outbox
from common.postgres import database
from common.queue_tokens import QueueTokens
from common.seat_catalogue import SeatCatalogueAnswer, SeatCatalogueAsked
from common.seat_status import SeatStatusAnswer, SeatStatusAsked
from common.secrets import secret
from common.settings import Settings
from functions.reservations.booking import Booking, Offer
from functions.reservations.hold_mending import HoldMending
from functions.reservations.payment_outcome import PaymentOutcome
from functions.reservations.reservation import Reservation, Seat
from functions.reservations.reservation_store import ReservationStore
from functions.reservations.seat_holds import SeatHolds


class BookingSettings(Settings):
    hold_seconds: int
    payment_token_seconds: int


class CatalogueSettings(Settings):
    seat_catalogue_function: str
    seat_status_function: str


class EventCatalogue:
    """The events service, asked by direct invocation; only a function that asks needs to know its name."""

    def offer(self, event_id: UUID, seat_ids: Sequence[UUID]) -> Offer:
        answer = self._ask(event_id, seat_ids)
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

    def seat_count(self, event_id: UUID) -> int:
        return self._ask(event_id, []).seat_count

    def sold(self, event_id: UUID) -> list[UUID]:
        function = CatalogueSettings.from_environment().seat_status_function
        return call(function, SeatStatusAsked(event_id=event_id), SeatStatusAnswer, read=True).sold_seat_ids

    def _ask(self, event_id: UUID, seat_ids: Sequence[UUID]) -> SeatCatalogueAnswer:
        function = CatalogueSettings.from_environment().seat_catalogue_function
        asked = SeatCatalogueAsked(event_id=event_id, seat_ids=list(seat_ids))
        return call(function, asked, SeatCatalogueAnswer, read=True)


catalogue = EventCatalogue()


@cache
def seat_holds() -> SeatHolds:
    return SeatHolds(redis.client())


@cache
def queue_tokens() -> QueueTokens:
    return QueueTokens(redis.client())


@cache
def store() -> ReservationStore:
    return ReservationStore(database(), Outbox())


@cache
def booking() -> Booking:
    settings = BookingSettings.from_environment()
    return Booking(
        catalogue=catalogue,
        holds=seat_holds(),
        reservations=store(),
        tokens=queue_tokens(),
        clock=utc_now,
        new_id=new_id,
        hold_seconds=settings.hold_seconds,
        payment_token_seconds=settings.payment_token_seconds,
    )


@cache
def payment_outcome() -> PaymentOutcome:
    return PaymentOutcome(store(), booking(), queue_tokens(), utc_now)


@cache
def hold_mending() -> HoldMending:
    return HoldMending(store(), seat_holds(), utc_now)


def ticket_qr(reservation: Reservation) -> str:
    from functions.reservations.ticket import sign_ticket  # cryptography: only who shows a ticket pays its import

    key = secret("ticket")["keys"][0]
    return sign_ticket(reservation, key["pem"], key["kid"])
