"""Create a payment for a reservation and tell the payment gateway its amount (PAY-004 to PAY-007).

A reservation has one payment that did not fail. Whatever key a request has, it continues that payment: a buyer who lost
the answer, or whose payment could not be started, goes on where they stopped.
"""

from dataclasses import dataclass

from common.domain.clock import Clock, NewId
from common.domain.ids import EventId, PaymentId, ReservationId, UserId
from common.domain.shared_errors import DomainError, NotFound
from common.runtime.log import log
from functions.payments.adapters.clients.reservations_client import ReservationsClient
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.domain.errors import PaymentInProgress, PaymentKeyReused, PaymentNotStarted
from functions.payments.domain.order_name import order_name
from functions.payments.domain.payment import Payment, PaymentStatus
from functions.payments.domain.payment_gateway import GatewayError, GatewayRejected, PaymentGateway
from functions.payments.usecases.sync_with_gateway import SyncWithGateway


@dataclass(frozen=True)
class CreatedPayment:
    payment: Payment
    is_new: bool  # False if the reservation had it already


class CreatePayment:
    def __init__(
        self,
        *,
        payments: PaymentRepository,
        gateway: PaymentGateway,
        reservations: ReservationsClient,
        sync: SyncWithGateway,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._payments = payments
        self._gateway = gateway
        self._reservations = reservations
        self._sync = sync
        self._clock = clock
        self._new_id = new_id

    def create(self, user_id: UserId, reservation_id: ReservationId, payment_key: str, method: str) -> CreatedPayment:
        """A PENDING payment of the reservation's amount, pre-registered at the payment gateway; SUCCESS if nothing is
        to pay.

        If the process crashes anywhere here, the next request continues where it stopped: it finds the payment by its
        key or by its reservation. Raises PaymentKeyReused, PaymentInProgress, PaymentNotStarted, NotFound or
        HoldExpired.
        """
        known = self._find(reservation_id, payment_key)
        if known is None:
            payment_id = PaymentId(self._new_id())
            due = self._reservations.payable(reservation_id, user_id, payment_id)
            payment = Payment(
                id=payment_id,
                payment_key=payment_key,
                reservation_id=reservation_id,
                event_id=EventId(due.event_id),
                user_id=user_id,
                order_name=order_name(due.event_title, due.seat_count),
                amount=due.total_amount,
                method=method,
                status=PaymentStatus.PENDING,
                created_at=self._clock(),
            )
            if self._payments.add(payment):
                return CreatedPayment(self._start(payment), is_new=True)
            known = self._find(reservation_id, payment_key)
        if known is None:
            raise PaymentInProgress()  # the payment that was in the way has just failed
        if (known.user_id, known.reservation_id) != (user_id, reservation_id):
            # Found by its key, it is another payment; found by its reservation, the reservation is another user's.
            raise PaymentKeyReused() if known.payment_key == payment_key else NotFound()
        if known.status is PaymentStatus.PENDING:
            known = self._continue(known, is_repeated=known.payment_key == payment_key)
        return CreatedPayment(known, is_new=False)

    def _find(self, reservation_id: ReservationId, payment_key: str) -> Payment | None:
        return self._payments.find_by_key(payment_key) or self._payments.find_active(reservation_id)

    def _continue(self, payment: Payment, *, is_repeated: bool) -> Payment:
        """A repeated request gets the same answer, even after the hold has ended."""
        is_started = payment.preregistered_at is not None
        if is_started and is_repeated:
            return payment
        due = self._reservations.payable(payment.reservation_id, payment.user_id, payment.id)
        if is_started:
            return payment
        name = order_name(due.event_title, due.seat_count)  # the seats may have changed since
        return self._start(self._payments.change_order(payment.id, name, due.total_amount))

    def _start(self, payment: Payment) -> Payment:
        if payment.amount == 0:
            return self._sync.sync(payment)
        try:
            self._gateway.pre_register(payment.id, payment.amount)
        except GatewayError as error:
            if isinstance(error, GatewayRejected) and error.kind == "IDEMPOTENCY_OUTSTANDING_REQUEST":
                return payment  # the same request at the same time: the other one records the outcome
            started = self._payments.find(payment.id)
            if started is not None and started.preregistered_at is not None:
                return started  # by a request at the same time
            log.warning("pre-registration failed", extra={"payment_id": str(payment.id), "error": str(error)})
            self._report_not_started(payment)
            raise PaymentNotStarted(retry_after=error.retry_after) from error
        if not self._payments.mark_preregistered(payment.id, payment.amount, self._clock()):
            raise PaymentInProgress()  # with another amount, by a request at the same time
        return payment

    def _report_not_started(self, payment: Payment) -> None:
        """No buyer can pay for it, since none has its id. If the process crashes before this, the next request starts
        the payment or comes here again."""
        try:
            self._reservations.not_started(payment.reservation_id, payment.user_id, payment.id)
        except DomainError as error:
            log.warning("seats cannot be changed yet", extra={"payment_id": str(payment.id), "error": error.code})
