"""A reservation as its buyer needs it: while it is held, with everything to go on and pay (RSV-010)."""

from dataclasses import dataclass

from common.contracts.reservation_payments import ReservationPayment
from common.domain.clock import Clock
from common.domain.ids import ReservationId, UserId
from common.domain.shared_errors import NotFound, ServiceUnavailable, StoreUnavailable
from common.runtime.log import log
from functions.reservations.adapters.clients.payments_client import PaymentsClient
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.cancellation import CancellationTerms, cancellation_terms
from functions.reservations.domain.reservation import Reservation
from functions.reservations.usecases.payable_hold import PayableHold, PaymentTokenIssuer


@dataclass(frozen=True)
class OwnReservation:
    reservation: Reservation
    cancellation: CancellationTerms | None = None  # what cancelling costs now
    hold: PayableHold | None = None  # while it can be paid for
    payment: ReservationPayment | None = None  # the open one


class ReadReservation:
    def __init__(
        self,
        *,
        reservations: ReservationRepository,
        payments: PaymentsClient,
        payment_tokens: PaymentTokenIssuer,
        clock: Clock,
    ) -> None:
        self._reservations = reservations
        self._payments = payments
        self._payment_tokens = payment_tokens
        self._clock = clock

    def read(self, user_id: UserId, reservation_id: ReservationId) -> OwnReservation:
        """Raises NotFound.

        Without Redis it has no token, without payments no payment: the buyer can read it again then, or create a
        payment, which continues the open one.
        """
        reservation = self._reservations.find(reservation_id, user_id)
        if reservation is None:
            raise NotFound()
        now = self._clock()
        terms = cancellation_terms(reservation, now)
        if not reservation.holds_at(now):
            return OwnReservation(reservation, terms)
        return OwnReservation(reservation, terms, self._hold(reservation), self._payment(reservation))

    def _hold(self, reservation: Reservation) -> PayableHold | None:
        try:
            return self._payment_tokens.issue_again(reservation)
        except StoreUnavailable:
            log.warning("no payment token", extra={"reservation_id": str(reservation.id)})
            return None

    def _payment(self, reservation: Reservation) -> ReservationPayment | None:
        if reservation.payment_id is None and reservation.payment_started_at is None:
            return None
        try:
            return self._payments.payments([reservation.id]).get(reservation.id)
        except ServiceUnavailable:
            log.warning("no payment", extra={"reservation_id": str(reservation.id)})
            return None
