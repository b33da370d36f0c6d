"""Create a payment for a reservation and tell the payment gateway its amount (PAY-004 to PAY-007)."""

from dataclasses import dataclass

from common.domain.clock import Clock, NewId
from common.domain.ids import EventId, PaymentId, ReservationId, UserId
from common.runtime.log import log
from functions.payments.adapters.clients.reservations_client import ReservationsClient
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.domain.errors import PaymentKeyReused, PaymentUnavailable
from functions.payments.domain.payment import Payment, PaymentStatus
from functions.payments.domain.payment_gateway import GatewayError, GatewayRejected, PaymentGateway


@dataclass(frozen=True)
class CreatedPayment:
    payment: Payment
    is_new: bool  # False if the same request was made before


class CreatePayment:
    def __init__(
        self,
        payments: PaymentRepository,
        gateway: PaymentGateway,
        reservations: ReservationsClient,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._payments = payments
        self._gateway = gateway
        self._reservations = reservations
        self._clock = clock
        self._new_id = new_id

    def create(self, user_id: UserId, reservation_id: ReservationId, payment_key: str, method: str) -> CreatedPayment:
        """A PENDING payment of the reservation's amount, pre-registered at the payment gateway.

        If the process crashes anywhere here, the same request continues where it stopped: the payment key finds the
        payment. Raises PaymentKeyReused, PaymentInProgress, PaymentUnavailable, NotFound or HoldExpired.
        """
        known = self._payments.find_by_key(payment_key)
        if known is None:
            due = self._reservations.payable(reservation_id, user_id)
            payment = Payment(
                id=PaymentId(self._new_id()),
                payment_key=payment_key,
                reservation_id=reservation_id,
                event_id=EventId(due.event_id),
                user_id=user_id,
                order_name=f"{due.event_title} {due.seat_count}매",
                amount=due.total_amount,
                method=method,
                status=PaymentStatus.PENDING,
                created_at=self._clock(),
            )
            if self._payments.add(payment):
                self._pre_register(payment)
                return CreatedPayment(payment, is_new=True)
            known = self._payments.find_by_key(payment_key)
        if known is None or (known.user_id, known.reservation_id) != (user_id, reservation_id):
            raise PaymentKeyReused()
        if known.preregistered_at is None and known.status is PaymentStatus.PENDING:
            self._pre_register(known)
        return CreatedPayment(known, is_new=False)

    def _pre_register(self, payment: Payment) -> None:
        try:
            self._gateway.pre_register(payment.id, payment.amount)
        except GatewayError as error:
            if isinstance(error, GatewayRejected) and error.kind == "IDEMPOTENCY_OUTSTANDING_REQUEST":
                return  # the same request at the same time: the other one is at the gateway now and records the outcome
            log.warning("pre-registration failed", extra={"payment_id": str(payment.id), "error": str(error)})
            raise PaymentUnavailable(retry_after=error.retry_after) from error
        self._payments.mark_preregistered(payment.id, self._clock())
