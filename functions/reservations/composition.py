"""The reservations service put together: built on the first request, kept for the warm container."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.messaging.outbox import Outbox
from common.runtime.settings import Settings
from common.stores.postgres import database
from common.stores.secrets import secret
from functions.reservations.booking import Booking
from functions.reservations.event_catalogue import catalogue
from functions.reservations.hold_mending import HoldMending
from functions.reservations.payment_outcome import PaymentOutcome
from functions.reservations.queue_tokens import queue_tokens
from functions.reservations.reservation import Reservation
from functions.reservations.reservation_store import ReservationStore
from functions.reservations.seat_holds import seat_holds


class BookingSettings(Settings):
    hold_seconds: int
    payment_token_seconds: int


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
