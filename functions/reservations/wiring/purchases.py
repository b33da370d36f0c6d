"""The reservations service put together: built on the first request, kept for the warm container."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.messaging.outbox import Outbox
from common.runtime.settings import Settings
from common.stores.postgres import database
from common.stores.secrets import secret
from functions.reservations.adapters.clients.events_client import catalogue
from functions.reservations.adapters.reservation_repository import ReservationStore
from functions.reservations.adapters.seat_holds_redis import seat_holds
from functions.reservations.domain.reservation import Reservation
from functions.reservations.usecases.apply_payment_outcomes import PaymentOutcome
from functions.reservations.usecases.hold_seats import Booking
from functions.reservations.usecases.repair_holds import HoldMending
from functions.reservations.wiring.tokens import queue_tokens


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
    from functions.reservations.adapters.ticket_signer import (
        sign_ticket,  # cryptography: only who shows a ticket pays its import
    )

    key = secret("ticket")["keys"][0]
    return sign_ticket(reservation, key["pem"], key["kid"])
