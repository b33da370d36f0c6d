"""Payments on a real Postgres and the sandbox's PortOne: idempotent, one final state, no payment lost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest

from common.contracts.payable import EXTENSION_SECONDS, PayableRequest, PayableResponse
from common.domain.clock import new_id
from common.domain.ids import EventId, PaymentId, RefundId, ReservationId, UserId
from common.domain.model import rfc3339
from common.domain.shared_errors import DomainError, HoldExpired
from common.http.error_catalogue import ERROR_CATALOGUE
from common.messaging.consumer import Consumer
from common.messaging.messages import RESERVATION_EVENTS, ReservationCancelled, envelope
from common.messaging.outbox import Outbox
from common.protection.circuit_breaker import CircuitBreaker
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.payments.adapters.clients.portone import PortOne, portone_client
from functions.payments.adapters.clients.reservations_client import ReservationsClient
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.adapters.refund_repository import RefundRepository
from functions.payments.domain.payment import Payment, PaymentStatus
from functions.payments.domain.payment_gateway import GatewayRejected, GatewayUnavailable, GatewayView
from functions.payments.usecases.apply_cancellations import ApplyCancellations
from functions.payments.usecases.confirm_payment import ConfirmPayment
from functions.payments.usecases.create_payment import CreatedPayment, CreatePayment
from functions.payments.usecases.record_outcome import RecordOutcome
from functions.payments.usecases.refunds import Refunds
from functions.payments.usecases.settle_payments import SettlePayments
from functions.payments.usecases.sync_with_gateway import SyncWithGateway
from local.sandbox.settings import Settings
from tests.support.concurrently import concurrently
from tests.support.fakes.message_delivery import MessageDelivery
from tools.simulation.fake_portone import fake_portone

EVENT = uuid4()
AMOUNT = 300_000


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class PaymentsService:
    """The payments service on its own connections, with the sandbox's buyer and payment gateway."""

    def __init__(self, database: Database, redis: Client, portone: httpx.Client) -> None:
        self.clock = Clock()
        self.database = database
        self.payments, self.refund_records = PaymentRepository(database), RefundRepository(database)
        self.outcome = RecordOutcome(database, self.payments, self.refund_records, Outbox(self.clock))
        self.hold_expired = False
        self.amount = AMOUNT
        self.payable: Callable[[PayableRequest], PayableResponse] = self._payable
        self.extensions: list[int] = []  # seconds, of each call to the reservations service
        self.not_started: list[PaymentId | None] = []  # payments that were reported as not started
        circuit = CircuitBreaker("portone", redis, self.clock, failures=(GatewayUnavailable,))
        channel_key = Settings().portone_channel_key
        self.portone = PortOne(portone, self.payments.add_gateway_answer, circuit.attempt, channel_key)
        self.use_gateway(self.portone)
        self._sandbox = portone

    def use_gateway(self, gateway: Any) -> None:
        reservations = ReservationsClient(self._call, "Payable")
        self.sync = SyncWithGateway(self.payments, self.outcome, gateway, self.clock, new_id)
        self.create_payment = CreatePayment(
            payments=self.payments,
            gateway=gateway,
            reservations=reservations,
            sync=self.sync,
            clock=self.clock,
            new_id=new_id,
        )
        self.confirm_payment = ConfirmPayment(self.payments, gateway, reservations, self.sync)
        self.settle_payments = SettlePayments(self.payments, self.sync, self.clock, timedelta(seconds=340))
        self.refunds = Refunds(self.payments, self.refund_records, self.outcome, gateway, self.clock)
        cancellations = ApplyCancellations(self.refunds, self.payments, self.sync)
        self.consumer = Consumer("payments", self.database, {ReservationCancelled: cancellations.cancelled})

    def _call(self, function: str, request: Any, response: Any, *, read: bool, raises: Any = ()) -> Any:
        assert read is (request.extension_seconds == 0), "a call that extends a hold is not a read"
        if request.not_started:
            self.not_started.append(request.payment_id)
        else:
            self.extensions.append(request.extension_seconds)
        return self.payable(request)

    def _payable(self, request: PayableRequest) -> PayableResponse:
        if self.hold_expired:
            raise HoldExpired()
        return PayableResponse(
            reservation_id=request.reservation_id,
            event_id=EventId(EVENT),
            event_title="Tour",
            seat_count=2,
            total_amount=self.amount,
            hold_expires_at=self.clock() + timedelta(seconds=300),
        )

    def create(self, user: UUID | None = None, reservation: UUID | None = None, key: str | None = None) -> Payment:
        return self.create_payment.create(
            UserId(user or uuid4()), ReservationId(reservation or uuid4()), key or uuid4().hex, "CARD"
        ).payment

    def pay(self, payment: Payment, outcome: str, **more: int) -> str | None:
        answer = self._sandbox.post(
            f"/sandbox/payments/{payment.id}/pay", json={"outcome": outcome, **more}, timeout=10
        )
        answer.raise_for_status()
        token: str | None = answer.json().get("paymentToken")
        return token

    def kept_by_gateway(self, payment: Payment) -> int:
        held = self._sandbox.get(f"/sandbox/payments/{payment.id}").json()
        return int(held["paidAmount"]) - int(held["cancelledAmount"])

    def confirm(self, payment: Payment, token: str | None = None) -> Payment:
        return self.confirm_payment.confirm(payment.user_id, payment.id, token)

    def faults(self, mode: str, **more: float) -> None:
        self._sandbox.put("/sandbox/faults", json={"mode": mode, **more}).raise_for_status()


@dataclass
class StartedMeanwhile:
    """PortOne, but it does not answer a pre-registration, which a request at the same time made."""

    portone: PortOne
    payments: PaymentRepository

    def pre_register(self, payment_id: PaymentId, amount: int) -> None:
        self.payments.mark_preregistered(payment_id, amount, datetime.now(UTC))
        raise GatewayUnavailable(timed_out=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.portone, name)


NewServices = Callable[[int], list[PaymentsService]]


@dataclass
class NoCancellations:
    """PortOne, but it returns no money."""

    portone: PortOne
    error: Exception = field(default_factory=lambda: GatewayRejected("PG_PROVIDER"))

    def cancel(self, payment_id: PaymentId, amount: int, reason: str, cancellable: int, key: str) -> None:
        raise self.error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.portone, name)


@dataclass
class Unreadable:
    """PortOne, but its answers about one payment cannot be parsed."""

    portone: PortOne
    payment_id: PaymentId

    def view(self, payment_id: PaymentId) -> GatewayView | None:
        if payment_id == self.payment_id:
            raise KeyError("status")
        return self.portone.view(payment_id)

    def cancel(self, payment_id: PaymentId, *rest: Any) -> None:
        if payment_id == self.payment_id:
            raise KeyError("cancellation")
        self.portone.cancel(payment_id, *rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.portone, name)


@pytest.fixture
def new_services(database_of: Callable[[str], Database], redis: Client, sandbox_url: str) -> Iterator[NewServices]:
    with portone_client(sandbox_url, Settings().portone_api_secret) as client:
        yield lambda count: [PaymentsService(database_of("payment_service"), redis, client) for _ in range(count)]
        client.put("/sandbox/faults", json={"mode": "none"}, timeout=10).raise_for_status()


@pytest.fixture
def service(new_services: NewServices) -> PaymentsService:
    return new_services(1)[0]


def messages(superuser: Database) -> list[str]:
    return [row["event_type"] for row in superuser.rows("SELECT event_type FROM common.outbox_events ORDER BY id")]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as raised:
        call()
    return raised.value.code


def test_a_hundred_concurrent_repeats_of_a_request_create_one_payment_and_one_pre_registration(
    database_of: Callable[[str], Database], redis: Client, superuser: Database
) -> None:
    user, reservation, key = UserId(uuid4()), ReservationId(uuid4()), uuid4().hex
    with fake_portone() as portone:
        portone.open(lambda: datetime.now(UTC))
        with portone_client(portone.url, Settings().portone_api_secret) as client:
            services = [PaymentsService(database_of("payment_service"), redis, client) for _ in range(100)]
            outcomes = concurrently(
                [partial(each.create_payment.create, user, reservation, key, "CARD") for each in services]
            )
            made = [each for each in outcomes if isinstance(each, CreatedPayment)]
            assert len(made) == 100, {str(each) for each in outcomes if isinstance(each, Exception)}
            answers = {
                (each.payment.id, each.payment.amount, each.payment.status, each.payment.order_name) for each in made
            }
            assert len(answers) == 1, "the answers differ"
            assert len([each for each in made if each.is_new]) == 1
            assert len(superuser.rows("SELECT id FROM payment_service.payments")) == 1
            assert portone.pre_registrations == 1


def test_concurrent_requests_with_different_keys_continue_one_payment(
    new_services: NewServices, superuser: Database
) -> None:
    user, reservation = uuid4(), uuid4()
    outcomes = concurrently([partial(each.create, user, reservation) for each in new_services(8)])
    assert {each.id for each in outcomes if isinstance(each, Payment)} == {
        row["id"] for row in superuser.rows("SELECT id FROM payment_service.payments")
    }
    assert [each for each in outcomes if isinstance(each, Exception)] == []


def test_a_new_key_continues_the_open_payment_and_only_while_the_hold_lasts(service: PaymentsService) -> None:
    user, reservation, key = uuid4(), uuid4(), uuid4().hex
    first = service.create(user, reservation, key)
    assert service.create(user, reservation).id == first.id
    assert code_of(lambda: service.create(uuid4(), reservation)) == "NOT_FOUND"
    service.hold_expired = True
    assert code_of(lambda: service.create(user, reservation)) == "HOLD_EXPIRED"
    assert service.create(user, reservation, key).id == first.id  # the same request, the same answer


def test_a_payment_that_could_not_be_started_is_continued_with_any_key_for_other_seats(
    service: PaymentsService,
) -> None:
    user, reservation = uuid4(), uuid4()
    service.faults("error")
    assert code_of(lambda: service.create(user, reservation)) == "PAYMENT_NOT_STARTED"
    (known,) = service.not_started  # the seats can be changed again
    service.faults("none")
    service.amount = AMOUNT // 2
    payment = service.create(user, reservation)
    assert (payment.id, payment.amount) == (known, AMOUNT // 2)
    assert service.confirm(payment, service.pay(payment, "AUTHORIZED")).status is PaymentStatus.SUCCESS
    assert service.kept_by_gateway(payment) == AMOUNT // 2


def test_a_payment_that_a_request_at_the_same_time_started_is_not_reported_as_not_started(
    service: PaymentsService,
) -> None:
    gateway = StartedMeanwhile(service.portone, service.payments)
    service.use_gateway(gateway)
    assert service.create().preregistered_at is not None
    assert service.not_started == []


def test_money_for_seats_that_were_changed_is_not_taken_or_returned(service: PaymentsService) -> None:
    authorized, paid = service.create(), service.create()
    token = service.pay(authorized, "AUTHORIZED")
    service.pay(paid, "PAID")
    service.amount = AMOUNT // 2
    assert code_of(lambda: service.confirm(authorized, token)) == "AMOUNT_MISMATCH"
    assert code_of(lambda: service.confirm(paid)) == "AMOUNT_MISMATCH"
    assert (service.kept_by_gateway(authorized), service.kept_by_gateway(paid)) == (0, 0)


def test_a_payment_whose_amount_changed_while_it_was_registered_is_not_started(service: PaymentsService) -> None:
    user, reservation = uuid4(), uuid4()
    service.faults("error")
    assert code_of(lambda: service.create(user, reservation)) == "PAYMENT_NOT_STARTED"
    (known,) = service.not_started
    assert known is not None
    service.payments.change_order(known, "Tour 1", AMOUNT // 2)  # a request for other seats at the same time
    assert not service.payments.mark_preregistered(known, AMOUNT, service.clock())
    assert service.payments.mark_preregistered(known, AMOUNT // 2, service.clock())


def test_a_free_reservation_is_paid_without_the_gateway(service: PaymentsService, superuser: Database) -> None:
    service.amount = 0
    service.use_gateway(None)  # a call would raise
    user, reservation = uuid4(), uuid4()
    free = service.create(user, reservation)
    assert free.status is PaymentStatus.SUCCESS
    assert service.create(user, reservation).id == free.id
    assert service.confirm(free).status is PaymentStatus.SUCCESS
    assert messages(superuser) == ["PaymentSuccess"]


def test_a_free_payment_whose_request_crashed_is_settled(service: PaymentsService, superuser: Database) -> None:
    service.amount = 0
    service.use_gateway(None)
    service.create_payment._sync = cast(SyncWithGateway, None)
    with pytest.raises(AttributeError):  # the crash
        service.create()
    service.use_gateway(None)
    service.clock.now += timedelta(seconds=400)
    service.settle_payments.settle()
    assert messages(superuser) == ["PaymentSuccess"]


def test_a_payment_key_cannot_be_used_by_another_user(service: PaymentsService) -> None:
    key = uuid4().hex
    service.create(key=key)
    assert code_of(lambda: service.create(key=key)) == "PAYMENT_KEY_REUSED"


def test_concurrent_and_repeated_confirms_take_the_money_once(new_services: NewServices, superuser: Database) -> None:
    services = new_services(6)
    payment = services[0].create()
    token = services[0].pay(payment, "AUTHORIZED")
    assert services[0].kept_by_gateway(payment) == 0
    outcomes = concurrently([partial(each.confirm, payment, token) for each in services])
    assert any(isinstance(each, Payment) and each.status is PaymentStatus.SUCCESS for each in outcomes)
    assert {str(each) for each in outcomes if isinstance(each, Exception)} <= {"PAYMENT_IN_PROGRESS"}
    assert services[0].confirm(payment, token).status is PaymentStatus.SUCCESS
    assert services[0].kept_by_gateway(payment) == AMOUNT
    assert messages(superuser) == ["PaymentSuccess"]


def test_concurrent_confirm_webhook_and_settlement_record_one_success(
    new_services: NewServices, superuser: Database
) -> None:
    confirming, receiving, settling = new_services(3)
    settling.clock.now += timedelta(seconds=400)
    payment = confirming.create()
    confirming.pay(payment, "PAID")
    outcomes = concurrently(
        [
            lambda: confirming.confirm(payment),
            lambda: receiving.sync.handle_webhook(payment.id),
            lambda: settling.settle_payments.settle(),
        ]
    )
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert messages(superuser) == ["PaymentSuccess"]
    stored = confirming.payments.find(payment.id)
    assert stored is not None
    assert stored.status is PaymentStatus.SUCCESS
    assert stored.portone_transaction_id


def test_a_hold_is_extended_by_confirming_a_payment_and_not_by_creating_it(service: PaymentsService) -> None:
    payment = service.create()
    assert service.extensions == [0]
    service.confirm(payment, service.pay(payment, "AUTHORIZED"))
    assert service.extensions == [0, EXTENSION_SECONDS]


def test_after_a_declined_card_the_buyer_can_pay_with_another_one(
    service: PaymentsService, superuser: Database
) -> None:
    payment = service.create()
    service.pay(payment, "FAILED")
    service.sync.handle_webhook(payment.id)
    with pytest.raises(DomainError) as declined:
        service.confirm(payment)
    assert declined.value.code == "PAYMENT_FAILED"
    until = rfc3339(service.clock() + timedelta(seconds=300))
    assert declined.value.details == {"reason": "The card company declined the payment", "retryUntil": until}
    assert messages(superuser) == []
    assert service.confirm(payment, service.pay(payment, "AUTHORIZED")).status is PaymentStatus.SUCCESS
    assert messages(superuser) == ["PaymentSuccess"]


def test_a_declined_payment_fails_when_the_hold_ends(service: PaymentsService, superuser: Database) -> None:
    payment = service.create()
    service.pay(payment, "FAILED")
    cancel_unpaid(service, payment, "HOLD_TIMEOUT", superuser)
    failed = service.payments.find(payment.id)
    assert failed is not None
    assert (failed.status, failed.failure_reason) == (PaymentStatus.FAILED, "The card company declined the payment")


def test_a_payment_whose_window_may_be_open_does_not_fail_when_the_hold_ends(
    service: PaymentsService, superuser: Database
) -> None:
    payment = service.create()
    cancel_unpaid(service, payment, "HOLD_TIMEOUT", superuser)
    service.pay(payment, "PAID")
    service.sync.handle_webhook(payment.id)
    assert messages(superuser)[-1] == "PaymentSuccess"  # reservations decides whether its seats are free


@pytest.mark.parametrize("reason", ["USER_REQUEST", "EVENT_CANCELLED"])
def test_a_payment_fails_when_its_reservation_is_cancelled_and_later_money_is_returned(
    service: PaymentsService, superuser: Database, reason: str
) -> None:
    early, late = service.create(), service.create()
    service.pay(early, "PAID")
    for payment in (early, late):
        cancel_unpaid(service, payment, reason, superuser)
    service.pay(late, "PAID")
    service.sync.handle_webhook(late.id)
    assert (service.kept_by_gateway(early), service.kept_by_gateway(late)) == (0, 0)
    assert messages(superuser).count("PaymentFailed") == 2


def test_a_declined_payment_fails_later_if_the_gateway_was_unavailable_when_the_hold_ended(
    service: PaymentsService, superuser: Database
) -> None:
    payment = service.create()
    service.pay(payment, "FAILED")
    service.faults("error")
    cancel_unpaid(service, payment, "HOLD_TIMEOUT", superuser)
    assert "PaymentFailed" not in messages(superuser)
    service.faults("none")
    service.clock.now += timedelta(seconds=400)
    service.settle_payments.settle()
    failed = service.payments.find(payment.id)
    assert failed is not None
    assert failed.failure_reason == "The card company declined the payment"


def cancel_unpaid(service: PaymentsService, payment: Payment, reason: str, superuser: Database) -> None:
    """The reservation's cancellation is published and consumed."""
    cancelled = ReservationCancelled(
        reservation_id=payment.reservation_id,
        event_id=EventId(EVENT),
        seat_ids=[],
        cancelled_at=service.clock(),
        reason=reason,
    )
    with superuser.transaction() as connection:
        Outbox(service.clock).write(connection, cancelled, user_id=payment.user_id)
    MessageDelivery(superuser, {RESERVATION_EVENTS: [service.consumer]}).deliver()


def test_confirming_before_the_buyer_has_paid_changes_nothing(service: PaymentsService, superuser: Database) -> None:
    payment = service.create()
    assert code_of(lambda: service.confirm(payment)) == "PAYMENT_NOT_COMPLETED"
    assert code_of(lambda: service.confirm(payment, "no-such-token")) == "PAYMENT_NOT_COMPLETED"
    assert messages(superuser) == []


def test_a_wrong_amount_is_returned(service: PaymentsService) -> None:
    payment = service.create()
    service.pay(payment, "PAID", amount=AMOUNT - 1)
    assert code_of(lambda: service.confirm(payment)) == "AMOUNT_MISMATCH"
    assert code_of(lambda: service.confirm(payment)) == "AMOUNT_MISMATCH"
    assert service.kept_by_gateway(payment) == 0


def test_an_authorization_of_a_wrong_amount_takes_no_money(service: PaymentsService) -> None:
    payment = service.create()
    token = service.pay(payment, "AUTHORIZED", amount=100)
    assert code_of(lambda: service.confirm(payment, token)) == "AMOUNT_MISMATCH"
    assert service.kept_by_gateway(payment) == 0


def test_after_the_hold_expired_no_money_is_taken_and_paid_money_is_returned(service: PaymentsService) -> None:
    authorized, paid = service.create(), service.create()
    token = service.pay(authorized, "AUTHORIZED")
    service.pay(paid, "PAID")
    service.hold_expired = True
    assert code_of(lambda: service.confirm(authorized, token)) == "HOLD_EXPIRED"
    assert code_of(lambda: service.confirm(paid)) == "HOLD_EXPIRED"
    assert (service.kept_by_gateway(authorized), service.kept_by_gateway(paid)) == (0, 0)


def test_a_webhook_for_a_confirmed_payment_does_not_call_portone(service: PaymentsService) -> None:
    payment = service.create()
    service.confirm(payment, service.pay(payment, "AUTHORIZED"))
    service.use_gateway(Unreadable(service.portone, payment.id))  # raises if it is called
    service.sync.handle_webhook(payment.id)


def test_confirm_reports_a_wrong_amount_although_the_webhook_ended_the_hold_first(service: PaymentsService) -> None:
    payment = service.create()
    service.pay(payment, "PAID", amount=AMOUNT - 1)

    def webhook_ends_the_hold(request: PayableRequest) -> PayableResponse:
        service.sync.handle_webhook(payment.id)  # PaymentFailed has cancelled the reservation by now
        raise HoldExpired()

    service.payable = webhook_ends_the_hold
    assert code_of(lambda: service.confirm(payment)) == "AMOUNT_MISMATCH"


def test_a_payment_whose_confirmation_timed_out_is_settled_later(service: PaymentsService, superuser: Database) -> None:
    payment = service.create()
    token = service.pay(payment, "AUTHORIZED")
    service.portone._client.timeout = httpx.Timeout(0.3)
    service.faults("timeout")
    assert code_of(lambda: service.confirm(payment, token)) == "PAYMENT_TIMEOUT"
    service.faults("none")
    assert service.kept_by_gateway(payment) == AMOUNT
    service.clock.now += timedelta(seconds=400)
    service.settle_payments.settle()
    stored = service.payments.find(payment.id)
    assert stored is not None
    assert stored.status is PaymentStatus.SUCCESS
    assert messages(superuser) == ["PaymentSuccess"]


def test_while_portone_is_unavailable_requests_fail_and_can_be_repeated_later(service: PaymentsService) -> None:
    user, reservation, key = UserId(uuid4()), ReservationId(uuid4()), uuid4().hex
    service.faults("error")
    assert code_of(lambda: service.create(user, reservation, key)) == "PAYMENT_NOT_STARTED"
    service.faults("none")
    payment = service.create(user, reservation, key)
    token = service.pay(payment, "AUTHORIZED")
    service.faults("error")
    assert code_of(lambda: service.confirm(payment, token)) == "PAYMENT_UNAVAILABLE"
    service.faults("none")
    assert service.confirm(payment, token).status is PaymentStatus.SUCCESS


def test_while_portone_fails_the_circuit_opens_for_all_instances_and_confirms_succeed_after_it_closes(
    new_services: NewServices, superuser: Database
) -> None:
    service, other = new_services(2)
    pending = service.create()
    token = service.pay(pending, "AUTHORIZED")
    service.faults("error")
    for _ in range(10):
        assert code_of(service.create) == "PAYMENT_NOT_STARTED"
    calls = len(superuser.rows("SELECT 1 FROM payment_service.portone_answers"))

    with pytest.raises(DomainError) as raised:
        other.confirm(pending, token)

    assert raised.value.code == "PAYMENT_UNAVAILABLE"
    assert "Do not pay again" in ERROR_CATALOGUE[raised.value.code].en
    assert 50 <= (raised.value.retry_after or 0) <= 60
    assert len(superuser.rows("SELECT 1 FROM payment_service.portone_answers")) == calls, "PortOne was called"

    service.faults("none")
    assert code_of(lambda: other.confirm(pending, token)) == "PAYMENT_UNAVAILABLE"  # the circuit is still open
    service.clock.now += timedelta(seconds=61)
    other.clock.now = service.clock.now
    assert other.confirm(pending, token).status is PaymentStatus.SUCCESS
    assert other.kept_by_gateway(pending) == AMOUNT


def test_an_unpaid_payment_fails_and_later_money_is_returned(service: PaymentsService, superuser: Database) -> None:
    payment = service.create()
    service.clock.now += timedelta(seconds=400)
    service.settle_payments.settle()
    assert messages(superuser) == ["PaymentFailed"]
    service.pay(payment, "PAID")
    service.sync.handle_webhook(payment.id)
    assert service.kept_by_gateway(payment) == 0
    assert messages(superuser) == ["PaymentFailed"]


def add_refund(service: PaymentsService, payment: Payment, amount: int) -> RefundId:
    refund_id = RefundId(uuid4())
    with service.database.transaction() as connection:
        assert service.refund_records.add_refund(connection, refund_id, payment.reservation_id, amount, "USER_REQUEST")
    return refund_id


def paid(service: PaymentsService) -> Payment:
    payment = service.create()
    return service.confirm(payment, service.pay(payment, "AUTHORIZED"))


def test_a_refund_message_for_an_unpaid_reservation_raises_not_found(service: PaymentsService) -> None:
    unpaid = service.create()
    cancelled = ReservationCancelled(
        reservation_id=unpaid.reservation_id,
        event_id=EventId(EVENT),
        seat_ids=[],
        cancelled_at=service.clock(),
        reason="USER_REQUEST",
        refund_amount=AMOUNT,
    )
    message = envelope(
        cancelled, message_id=uuid4(), at=service.clock(), correlation_id="", causation_id=None, user_id=unpaid.user_id
    )
    with service.database.transaction() as connection:
        assert code_of(lambda: service.refunds.add_refund(connection, message, cancelled)) == "NOT_FOUND"


def test_concurrent_refund_attempts_return_the_money_once(new_services: NewServices, superuser: Database) -> None:
    services = new_services(5)
    payment = paid(services[0])
    refund_id = add_refund(services[0], payment, 100_000)
    concurrently([partial(each.refunds.make_now, refund_id) for each in services])
    services[0].refunds.make_due()
    assert services[0].kept_by_gateway(payment) == AMOUNT - 100_000
    stored = services[0].payments.find(payment.id)
    assert stored is not None
    assert (stored.status, stored.refunded_amount) == (PaymentStatus.REFUNDED, 100_000)
    assert messages(superuser) == ["PaymentSuccess", "PaymentRefunded"]


def test_a_refund_that_two_attempts_report_is_recorded_once(service: PaymentsService, superuser: Database) -> None:
    """PortOne confirmed the refund to both before either had recorded it."""
    payment = paid(service)
    refund = service.refund_records.find_due(add_refund(service, payment, 100_000))
    assert refund is not None
    for _ in range(2):
        service.outcome.refunded(refund, datetime.now(UTC))
    stored = service.payments.find(payment.id)
    assert stored is not None
    assert stored.refunded_amount == 100_000
    assert messages(superuser) == ["PaymentSuccess", "PaymentRefunded"]


def test_a_refund_that_fails_stays_due_until_it_succeeds(service: PaymentsService, superuser: Database) -> None:
    payment = paid(service)
    add_refund(service, payment, AMOUNT)
    service.faults("error")
    assert service.refunds.make_due() == 1
    due = superuser.rows("SELECT attempts, last_error, done_at FROM payment_service.refunds")
    assert [(row["attempts"], row["done_at"]) for row in due] == [(1, None)]
    service.faults("none")
    assert service.refunds.make_due() == 0
    assert service.kept_by_gateway(payment) == 0


def test_a_refund_that_timed_out_is_not_made_twice(service: PaymentsService, superuser: Database) -> None:
    payment = paid(service)
    add_refund(service, payment, 100_000)
    service.portone._client.timeout = httpx.Timeout(0.3)
    service.faults("timeout")
    service.refunds.make_due()
    service.faults("none")
    service.refunds.make_due()
    assert service.kept_by_gateway(payment) == AMOUNT - 100_000
    assert messages(superuser) == ["PaymentSuccess", "PaymentRefunded"]


def test_every_portone_answer_is_stored_in_full(service: PaymentsService, superuser: Database) -> None:
    payment = paid(service)
    stored = superuser.rows(
        "SELECT call, status, answer FROM payment_service.portone_answers WHERE payment_id = %s ORDER BY id",
        (payment.id,),
    )
    assert [(row["call"], row["status"]) for row in stored] == [("pre-register", 200), ("confirm", 200), ("view", 200)]
    assert stored[-1]["answer"]["status"] == "PAID"


def test_a_user_cannot_see_or_confirm_a_payment_of_another_user(service: PaymentsService) -> None:
    payment = service.create()
    assert code_of(lambda: service.confirm_payment.confirm(UserId(uuid4()), payment.id, None)) == "NOT_FOUND"
    assert service.payments.of_user(UserId(uuid4()), 20, 0) == ([], 0)
    assert [each.id for each in service.payments.of_user(payment.user_id, 20, 0)[0]] == [payment.id]


# -- races and late money -------------------------------------------------------------------------------------------


def status_of(service: PaymentsService, payment: Payment) -> PaymentStatus:
    stored = service.payments.find(payment.id)
    assert stored is not None
    return stored.status


def test_a_confirm_with_an_outdated_payment_does_not_return_the_money_of_a_success(service: PaymentsService) -> None:
    """A CONFIRMED reservation has no hold either: its payment was once returned, although the buyer kept the ticket."""
    payment = service.create()
    service.pay(payment, "PAID")

    def another_confirm_is_faster(request: PayableRequest) -> PayableResponse:
        service.sync.handle_webhook(payment.id)
        raise HoldExpired()

    service.payable = another_confirm_is_faster
    assert service.confirm(payment).status is PaymentStatus.SUCCESS
    assert service.kept_by_gateway(payment) == AMOUNT


def test_a_late_amount_mismatch_does_not_return_the_money_of_a_correct_payment(service: PaymentsService) -> None:
    payment = service.create()
    token = service.pay(payment, "AUTHORIZED", amount=1)
    original = service.portone.confirm

    def correct_payment_is_faster(*arguments: Any) -> None:
        try:
            original(*arguments)
        finally:
            service.pay(payment, "PAID")
            service.sync.handle_webhook(payment.id)

    service.portone.confirm = correct_payment_is_faster  # type: ignore[method-assign, assignment]
    assert service.confirm(payment, token).status is PaymentStatus.SUCCESS
    assert service.kept_by_gateway(payment) == AMOUNT


def test_money_seen_while_another_call_records_a_failure_is_returned(new_services: NewServices) -> None:
    receiving, other = new_services(2)
    payment = receiving.create()
    receiving.pay(payment, "PAID")
    original = receiving.portone.view

    def other_call_records_a_failure(payment_id: PaymentId) -> GatewayView | None:
        view = original(payment_id)
        other.outcome.fail(payment_id, "declined", other.clock())
        return view

    receiving.portone.view = other_call_records_a_failure  # type: ignore[method-assign]
    receiving.sync.handle_webhook(payment.id)
    assert status_of(receiving, payment) is PaymentStatus.FAILED
    assert receiving.kept_by_gateway(payment) == 0


def test_money_for_a_failed_payment_is_returned_although_its_webhook_was_lost(service: PaymentsService) -> None:
    payment = service.create()
    service.outcome.fail(payment.id, "NOT_PAID", service.clock())
    service.pay(payment, "PAID")  # another attempt in PortOne's window, without a webhook
    service.clock.now += timedelta(minutes=5)
    service.settle_payments.settle()
    assert service.kept_by_gateway(payment) == 0


@pytest.mark.parametrize("error", [GatewayRejected("PG_PROVIDER"), GatewayUnavailable(timed_out=True)])
def test_a_reversal_that_fails_for_days_is_retried_every_minute_and_counted(
    service: PaymentsService, error: Exception
) -> None:
    payment = service.create()
    service.outcome.fail(payment.id, "NOT_PAID", service.clock())
    service.pay(payment, "PAID")
    service.use_gateway(NoCancellations(service.portone, error))
    for _ in range(3):
        service.clock.now += timedelta(days=1) - timedelta(seconds=1)
        assert service.settle_payments.settle() == 1
    service.clock.now += timedelta(minutes=1)
    assert service.settle_payments.settle() == 1
    assert service.kept_by_gateway(payment) == AMOUNT

    service.use_gateway(service.portone)
    service.clock.now += timedelta(minutes=1)
    assert service.settle_payments.settle() == 0
    assert service.kept_by_gateway(payment) == 0


def test_a_reversal_made_before_a_crash_is_no_longer_due(service: PaymentsService) -> None:
    payment = service.create()
    service.outcome.fail(payment.id, "NOT_PAID", service.clock())
    service.pay(payment, "PAID")
    service.use_gateway(NoCancellations(service.portone))
    service.sync.handle_webhook(payment.id)  # records that the reversal is due
    service.portone.cancel(payment.id, AMOUNT, "FAILED", AMOUNT, uuid4().hex)  # and the process crashed
    service.clock.now += timedelta(days=9)
    assert service.settle_payments.settle() == 0


def test_completing_an_earlier_reversal_keeps_a_later_one_due(service: PaymentsService) -> None:
    payment = service.create()
    service.outcome.fail(payment.id, "FAILED", service.clock())
    before, later = service.clock(), service.clock() + timedelta(seconds=1)
    service.payments.mark_reversal_due(payment.id, before)
    service.payments.mark_reversed(payment.id, before)  # by a faster call
    service.payments.mark_reversal_due(payment.id, later)
    service.payments.mark_reversed(payment.id, before)  # by a slower one
    assert service.confirm_payment.find(payment.user_id, payment.id).reversal_due_since == later


@pytest.mark.parametrize("text", ["a\x00b", "\\u0000", "\ud800", '{"a": "\\u0000"}'])
def test_a_gateway_answer_with_any_text_is_stored_unchanged(
    service: PaymentsService, superuser: Database, text: str
) -> None:
    answer = {"orderName": text, "customData": text}
    service.payments.add_gateway_answer(PaymentId(uuid4()), "view", 200, answer)
    assert superuser.rows("SELECT answer FROM payment_service.portone_answers")[0]["answer"] == answer


def test_a_payment_that_cannot_be_settled_delays_no_others(service: PaymentsService) -> None:
    stuck, *others = [service.create() for _ in range(5)]
    service.use_gateway(Unreadable(service.portone, stuck.id))
    service.clock.now += timedelta(seconds=400)
    assert service.settle_payments.settle(limit=1) == 1
    assert status_of(service, stuck) is PaymentStatus.PENDING
    assert [status_of(service, each) for each in others] == [PaymentStatus.FAILED] * 4


def test_a_refund_that_cannot_be_made_delays_no_others(service: PaymentsService) -> None:
    stuck, other = paid(service), paid(service)
    add_refund(service, stuck, AMOUNT)
    add_refund(service, other, AMOUNT)
    service.use_gateway(Unreadable(service.portone, stuck.id))
    assert service.refunds.make_due() == 1
    assert (service.kept_by_gateway(stuck), service.kept_by_gateway(other)) == (AMOUNT, 0)


@pytest.mark.parametrize("already_returned", [20_000, AMOUNT])
def test_a_refund_returns_only_what_was_not_returned_in_portones_console(
    service: PaymentsService, already_returned: int
) -> None:
    payment = paid(service)
    service.portone.cancel(payment.id, already_returned, "goodwill", AMOUNT, uuid4().hex)
    add_refund(service, payment, AMOUNT)
    assert service.refunds.make_due() == 0
    assert service.kept_by_gateway(payment) == 0
    assert status_of(service, payment) is PaymentStatus.REFUNDED


def test_a_failed_payment_is_checked_for_a_day_less_and_less_often(service: PaymentsService) -> None:
    payment = service.create()
    service.outcome.fail(payment.id, "NOT_PAID", service.clock())
    checks = 0
    for _ in range(2 * 24 * 60):
        service.clock.now += timedelta(minutes=1)
        if service.payments.failed_to_check(service.clock(), service.clock() - timedelta(days=1), 10):
            checks += 1
            service.payments.mark_checked(payment.id, service.clock())
    assert 5 <= checks <= 25


def test_concurrent_reversals_return_the_money_once_without_an_error(new_services: NewServices) -> None:
    services = new_services(6)
    payment = services[0].create()
    services[0].pay(payment, "PAID", amount=1)
    services[0].faults("slow", latencyMs=200)
    outcomes = concurrently([partial(each.confirm, payment) for each in services])
    services[0].faults("none")
    assert {str(each) for each in outcomes} == {"AMOUNT_MISMATCH"}
    assert services[0].kept_by_gateway(payment) == 0


def test_concurrent_confirms_either_take_the_money_or_fail_the_payment(
    new_services: NewServices, superuser: Database
) -> None:
    services = new_services(12)
    payment = services[0].create()
    token = services[0].pay(payment, "AUTHORIZED")
    for each in services[6:]:
        each.hold_expired = True  # the answer of the reservations service once the reservation is CONFIRMED
    outcomes = concurrently([partial(each.confirm, payment, token) for each in services])
    state = status_of(services[0], payment)
    kept = services[0].kept_by_gateway(payment)
    # Either a payment or a failure was recorded first; never both.
    assert (state, kept) in ((PaymentStatus.SUCCESS, AMOUNT), (PaymentStatus.FAILED, 0)), outcomes
    assert len(messages(superuser)) == 1
