"""What needs Postgres: holds, reservations, and what becomes of them."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.messaging.outbox import Outbox
from common.runtime.settings import Settings
from common.wiring.database import database
from common.wiring.internal_caller import internal_caller
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secret
from functions.reservations.adapters.clients.events_client import EventsClient
from functions.reservations.adapters.clients.payments_client import PaymentsClient
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.cancellation import CancellationTerms, cancellation_terms
from functions.reservations.domain.reservation import Reservation
from functions.reservations.usecases.cancel_event_reservations import CancelEventReservations
from functions.reservations.usecases.cancel_reservation import CancelReservation
from functions.reservations.usecases.change_seats import ChangeSeats
from functions.reservations.usecases.check_payable import CheckPayable
from functions.reservations.usecases.close_account import CloseAccount
from functions.reservations.usecases.confirm_paid import ConfirmPaid
from functions.reservations.usecases.drop_hold import DropHold
from functions.reservations.usecases.expire_holds import ExpireHolds
from functions.reservations.usecases.hold_seats import HoldSeats
from functions.reservations.usecases.list_live_seats import ListLiveSeats
from functions.reservations.usecases.payable_hold import PaymentTokenIssuer
from functions.reservations.usecases.read_reservation import ReadReservation
from functions.reservations.usecases.release_seats import ReleaseSeats
from functions.reservations.usecases.repair_holds import RepairHolds
from functions.reservations.wiring.tokens import queue_tokens


class HoldSettings(Settings):
    hold_seconds: int
    holds_per_admission: int


class TokenSettings(Settings):
    payment_token_seconds: int


class OfferSettings(Settings):
    seat_catalogue_function: str


class PaymentsSettings(Settings):
    find_payments_function: str


@cache
def reservations() -> ReservationRepository:
    return ReservationRepository(database(), Outbox())


@cache
def seat_holds() -> SeatHolds:
    return SeatHolds(redis_client())


@cache
def drop_hold() -> DropHold:
    return DropHold(seat_holds(), queue_tokens())


@cache
def events_client() -> EventsClient:
    return EventsClient(internal_caller(), OfferSettings.from_environment().seat_catalogue_function)


@cache
def payments_client() -> PaymentsClient:
    return PaymentsClient(internal_caller(), PaymentsSettings.from_environment().find_payments_function)


@cache
def confirm_paid() -> ConfirmPaid:
    return ConfirmPaid(reservations(), drop_hold(), queue_tokens(), utc_now)


@cache
def payment_tokens() -> PaymentTokenIssuer:
    seconds = TokenSettings.from_environment().payment_token_seconds
    return PaymentTokenIssuer(queue_tokens(), reservations(), utc_now, seconds)


@cache
def hold_seats() -> HoldSeats:
    settings = HoldSettings.from_environment()
    return HoldSeats(
        database=database(),
        reservations=reservations(),
        seat_holds=seat_holds(),
        offers=events_client(),
        payment_tokens=payment_tokens(),
        clock=utc_now,
        new_id=new_id,
        hold_seconds=settings.hold_seconds,
        holds_per_admission=settings.holds_per_admission,
    )


@cache
def change_seats() -> ChangeSeats:
    return ChangeSeats(
        database=database(),
        reservations=reservations(),
        seat_holds=seat_holds(),
        offers=events_client(),
        payment_tokens=payment_tokens(),
        clock=utc_now,
    )


@cache
def release_seats() -> ReleaseSeats:
    return ReleaseSeats(database(), reservations(), drop_hold(), utc_now)


@cache
def read_reservation() -> ReadReservation:
    return ReadReservation(
        reservations=reservations(),
        payments=payments_client(),
        payment_tokens=payment_tokens(),
        clock=utc_now,
    )


@cache
def cancel_reservation() -> CancelReservation:
    return CancelReservation(database(), reservations(), drop_hold(), utc_now)


@cache
def close_account() -> CloseAccount:
    return CloseAccount(database(), reservations(), drop_hold(), utc_now)


@cache
def check_payable() -> CheckPayable:
    return CheckPayable(database(), reservations(), utc_now)


@cache
def expire_holds() -> ExpireHolds:
    return ExpireHolds(
        database=database(),
        reservations=reservations(),
        payments=payments_client(),
        confirm_paid=confirm_paid(),
        drop_hold=drop_hold(),
        clock=utc_now,
    )


@cache
def cancel_event_reservations() -> CancelEventReservations:
    return CancelEventReservations(database(), reservations(), drop_hold(), utc_now)


@cache
def list_live_seats() -> ListLiveSeats:
    return ListLiveSeats(reservations(), seat_holds(), utc_now)


@cache
def repair_holds() -> RepairHolds:
    return RepairHolds(reservations(), seat_holds(), utc_now)


def terms_of_cancellation(reservation: Reservation) -> CancellationTerms | None:
    return cancellation_terms(reservation, utc_now())


def ticket_qr(reservation: Reservation) -> str:
    """Signed with the newest key."""
    # Loads cryptography: only a function that shows a ticket pays for its import.
    from functions.reservations.adapters.ticket_signer import sign_ticket

    key = secret("ticket")["keys"][0]
    return sign_ticket(reservation, key["pem"], key["kid"])
