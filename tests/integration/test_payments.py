"""Payments on a real Postgres and the sandbox's bank: idempotent, one finaliser, no won lost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from common.contracts.payable import EXTENSION_SECONDS, PayableResponse
from common.domain.clock import new_id
from common.domain.ids import PaymentId, RefundId, ReservationId, UserId
from common.domain.shared_errors import DomainError, HoldExpired
from common.http.error_catalogue import ERROR_CATALOGUE
from common.messaging.messages import ReservationCancelled, envelope
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
from functions.payments.usecases.confirm_payment import ConfirmPayment
from functions.payments.usecases.create_payment import CreatedPayment, CreatePayment
from functions.payments.usecases.record_outcome import RecordOutcome
from functions.payments.usecases.refunds import Refunds
from functions.payments.usecases.settle_payments import SettlePayments
from functions.payments.usecases.sync_with_gateway import SyncWithGateway
from local.sandbox.settings import Settings
from tests.support.concurrently import concurrently
from tools.simulation.fake_portone import fake_portone

EVENT = uuid4()
AMOUNT = 300_000


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Desk:
    """The payments service over connections of its own, with the buyer's and the gateway's side of the sandbox."""

    def __init__(self, database: Database, redis: Client, portone: httpx.Client) -> None:
        self.clock = Clock()
        self.database = database
        self.payments, self.refund_records = PaymentRepository(database), RefundRepository(database)
        self.outcome = RecordOutcome(database, self.payments, self.refund_records, Outbox(self.clock))
        self.hold_expired = False
        self.payable: Callable[[UUID, UUID, int], PayableResponse] = self._payable
        self.extensions: list[int] = []  # the seconds that reservations was asked to keep holds at least
        circuit = CircuitBreaker("portone", redis, self.clock, failures=(GatewayUnavailable,))
        channel_key = Settings().portone_channel_key
        self.portone = PortOne(portone, self.payments.add_gateway_answer, circuit.attempt, channel_key)
        self.use_gateway(self.portone)
        self._sandbox = portone

    def use_gateway(self, gateway: Any) -> None:
        reservations = ReservationsClient(self._call, "Payable")
        self.sync = SyncWithGateway(self.payments, self.outcome, gateway, self.clock, new_id)
        self.create_payment = CreatePayment(self.payments, gateway, reservations, self.clock, new_id)
        self.confirm_payment = ConfirmPayment(self.payments, gateway, reservations, self.sync)
        self.settle_payments = SettlePayments(self.payments, self.sync, self.clock, timedelta(seconds=340))
        self.refunds = Refunds(self.payments, self.refund_records, self.outcome, gateway, self.clock)

    def _call(self, function: str, request: Any, response: Any, *, read: bool, raises: Any = ()) -> Any:
        assert read is (request.extension_seconds == 0), "extending a hold is not a read"
        return self.payable(request.reservation_id, request.user_id, request.extension_seconds)

    def _payable(self, reservation_id: UUID, user_id: UUID, extension_seconds: int) -> PayableResponse:
        if self.hold_expired:
            raise HoldExpired()
        self.extensions.append(extension_seconds)
        return PayableResponse(
            reservation_id=reservation_id,
            event_id=EVENT,
            event_title="Tour",
            seat_count=2,
            total_amount=AMOUNT,
            hold_expires_at=self.clock(),
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
class NoCancellations:
    """PortOne that gives no money back."""

    portone: PortOne
    error: Exception = field(default_factory=lambda: GatewayRejected("PG_PROVIDER"))

    def cancel(self, payment_id: PaymentId, amount: int, reason: str, cancellable: int, key: str) -> None:
        raise self.error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.portone, name)


@dataclass
class Unreadable:
    """PortOne whose answers about one payment make no sense."""

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
def desks(
    database_of: Callable[[str], Database], redis: Client, sandbox_url: str
) -> Iterator[Callable[[int], list[Desk]]]:
    with portone_client(sandbox_url, Settings().portone_api_secret) as client:
        yield lambda count: [Desk(database_of("payment_service"), redis, client) for _ in range(count)]
        client.put("/sandbox/faults", json={"mode": "none"}, timeout=10).raise_for_status()


@pytest.fixture
def desk(desks: Callable[[int], list[Desk]]) -> Desk:
    return desks(1)[0]


def messages(superuser: Database) -> list[str]:
    return [row["event_type"] for row in superuser.rows("SELECT event_type FROM common.outbox_events ORDER BY id")]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as refused:
        call()
    return refused.value.code


def test_the_same_request_a_hundred_times_at_once_is_one_payment_and_one_pre_registration(
    database_of: Callable[[str], Database], redis: Client, superuser: Database
) -> None:
    user, reservation, key = UserId(uuid4()), ReservationId(uuid4()), uuid4().hex
    with fake_portone() as portone:
        portone.open(lambda: datetime.now(UTC))
        with portone_client(portone.url, Settings().portone_api_secret) as client:
            desks = [Desk(database_of("payment_service"), redis, client) for _ in range(100)]
            outcomes = concurrently(
                [partial(each.create_payment.create, user, reservation, key, "CARD") for each in desks]
            )
            made = [each for each in outcomes if isinstance(each, CreatedPayment)]
            assert len(made) == 100, {str(each) for each in outcomes if isinstance(each, Exception)}
            shown = {
                (each.payment.id, each.payment.amount, each.payment.status, each.payment.order_name) for each in made
            }
            assert len(shown) == 1, "not everybody was shown the same"
            assert len([each for each in made if each.is_new]) == 1
            assert len(superuser.rows("SELECT id FROM payment_service.payments")) == 1
            assert portone.carried_out == 1


def test_a_reservation_has_one_payment_alive(desks: Callable[[int], list[Desk]]) -> None:
    user, reservation = uuid4(), uuid4()
    outcomes = concurrently([partial(each.create, user, reservation) for each in desks(8)])
    assert len([each for each in outcomes if isinstance(each, Payment)]) == 1
    assert {str(each) for each in outcomes if isinstance(each, Exception)} == {"PAYMENT_IN_PROGRESS"}


def test_a_payment_key_is_its_first_users_only(desk: Desk) -> None:
    key = uuid4().hex
    desk.create(key=key)
    assert code_of(lambda: desk.create(key=key)) == "PAYMENT_KEY_REUSED"


def test_confirm_takes_the_money_once_however_often_and_by_how_many(
    desks: Callable[[int], list[Desk]], superuser: Database
) -> None:
    several = desks(6)
    payment = several[0].create()
    token = several[0].pay(payment, "AUTHORIZED")
    assert several[0].kept_by_gateway(payment) == 0
    outcomes = concurrently([partial(each.confirm, payment, token) for each in several])
    assert any(isinstance(each, Payment) and each.status is PaymentStatus.SUCCESS for each in outcomes)
    assert {str(each) for each in outcomes if isinstance(each, Exception)} <= {"PAYMENT_IN_PROGRESS"}
    assert several[0].confirm(payment, token).status is PaymentStatus.SUCCESS
    assert several[0].kept_by_gateway(payment) == AMOUNT
    assert messages(superuser) == ["PaymentSuccess"]


def test_confirm_webhook_and_settle_in_any_order_end_alike(
    desks: Callable[[int], list[Desk]], superuser: Database
) -> None:
    confirming, noticing, settling = desks(3)
    settling.clock.now += timedelta(seconds=400)
    payment = confirming.create()
    confirming.pay(payment, "PAID")
    outcomes = concurrently(
        [
            lambda: confirming.confirm(payment),
            lambda: noticing.sync.handle_webhook(payment.id),
            lambda: settling.settle_payments.settle(),
        ]
    )
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert messages(superuser) == ["PaymentSuccess"]
    stored = confirming.payments.find(payment.id)
    assert stored is not None
    assert stored.status is PaymentStatus.SUCCESS
    assert stored.portone_transaction_id


def test_a_hold_is_asked_to_outlast_the_bank_when_the_money_moves_and_not_before(desk: Desk) -> None:
    payment = desk.create()
    assert desk.extensions == [0]
    desk.confirm(payment, desk.pay(payment, "AUTHORIZED"))
    assert desk.extensions == [0, EXTENSION_SECONDS]


def test_a_declined_card_fails_the_payment(desk: Desk, superuser: Database) -> None:
    payment = desk.create()
    desk.pay(payment, "FAILED")
    assert code_of(lambda: desk.confirm(payment)) == "PAYMENT_FAILED"
    assert code_of(lambda: desk.confirm(payment)) == "PAYMENT_FAILED"
    assert messages(superuser) == ["PaymentFailed"]


def test_before_the_buyer_has_paid_nothing_is_decided(desk: Desk, superuser: Database) -> None:
    payment = desk.create()
    assert code_of(lambda: desk.confirm(payment)) == "PAYMENT_NOT_COMPLETED"
    assert code_of(lambda: desk.confirm(payment, "no-such-token")) == "PAYMENT_NOT_COMPLETED"
    assert messages(superuser) == []


def test_a_wrong_amount_is_given_back(desk: Desk) -> None:
    payment = desk.create()
    desk.pay(payment, "PAID", amount=AMOUNT - 1)
    assert code_of(lambda: desk.confirm(payment)) == "AMOUNT_MISMATCH"
    assert code_of(lambda: desk.confirm(payment)) == "AMOUNT_MISMATCH"
    assert desk.kept_by_gateway(payment) == 0


def test_an_authorisation_of_a_wrong_amount_takes_nothing(desk: Desk) -> None:
    payment = desk.create()
    token = desk.pay(payment, "AUTHORIZED", amount=100)
    assert code_of(lambda: desk.confirm(payment, token)) == "AMOUNT_MISMATCH"
    assert desk.kept_by_gateway(payment) == 0


def test_a_hold_that_ended_takes_nothing_and_gives_back_what_was_taken(desk: Desk) -> None:
    waiting, paid = desk.create(), desk.create()
    token = desk.pay(waiting, "AUTHORIZED")
    desk.pay(paid, "PAID")
    desk.hold_expired = True
    assert code_of(lambda: desk.confirm(waiting, token)) == "HOLD_EXPIRED"
    assert code_of(lambda: desk.confirm(paid)) == "HOLD_EXPIRED"
    assert (desk.kept_by_gateway(waiting), desk.kept_by_gateway(paid)) == (0, 0)


def test_a_webhook_about_money_that_is_ours_already_asks_portone_nothing(desk: Desk) -> None:
    payment = desk.create()
    desk.confirm(payment, desk.pay(payment, "AUTHORIZED"))
    unasked: Any = Unreadable(desk.portone, payment.id)
    desk.use_gateway(unasked)
    desk.sync.handle_webhook(payment.id)


def test_a_decline_that_the_webhook_brought_first_is_told_as_a_decline(desk: Desk) -> None:
    payment = desk.create()
    desk.pay(payment, "FAILED")

    def expires_by_the_webhook(reservation_id: UUID, user_id: UUID, extension_seconds: int) -> PayableResponse:
        desk.sync.handle_webhook(payment.id)  # PaymentFailed has cancelled the reservation by now
        raise HoldExpired()

    desk.payable = expires_by_the_webhook
    assert code_of(lambda: desk.confirm(payment)) == "PAYMENT_FAILED"


def test_portone_that_takes_the_money_and_never_answers_is_settled_later(
    desk: Desk, superuser: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = desk.create()
    token = desk.pay(payment, "AUTHORIZED")
    desk.portone._client.timeout = httpx.Timeout(0.3)
    desk.faults("timeout")
    assert code_of(lambda: desk.confirm(payment, token)) == "PAYMENT_TIMEOUT"
    desk.faults("none")
    assert desk.kept_by_gateway(payment) == AMOUNT
    desk.clock.now += timedelta(seconds=400)
    desk.settle_payments.settle()
    stored = desk.payments.find(payment.id)
    assert stored is not None
    assert stored.status is PaymentStatus.SUCCESS
    assert messages(superuser) == ["PaymentSuccess"]


def test_portone_away_says_not_to_pay_twice_and_the_request_can_be_made_again(desk: Desk) -> None:
    user, reservation, key = UserId(uuid4()), ReservationId(uuid4()), uuid4().hex
    desk.faults("error")
    assert code_of(lambda: desk.create(user, reservation, key)) == "PAYMENT_UNAVAILABLE"
    desk.faults("none")
    payment = desk.create(user, reservation, key)
    token = desk.pay(payment, "AUTHORIZED")
    desk.faults("error")
    assert code_of(lambda: desk.confirm(payment, token)) == "PAYMENT_UNAVAILABLE"
    desk.faults("none")
    assert desk.confirm(payment, token).status is PaymentStatus.SUCCESS


def test_while_portone_fails_its_circuit_opens_for_all_and_what_was_left_is_settled_when_it_closes(
    desks: Callable[[int], list[Desk]], superuser: Database
) -> None:
    desk, other = desks(2)
    left = desk.create()
    token = desk.pay(left, "AUTHORIZED")
    desk.faults("error")
    for _ in range(10):
        assert code_of(desk.create) == "PAYMENT_UNAVAILABLE"
    answers = len(superuser.rows("SELECT 1 FROM payment_service.portone_answers"))

    with pytest.raises(DomainError) as refused:
        other.confirm(left, token)

    assert refused.value.code == "PAYMENT_UNAVAILABLE"
    assert "Do not pay again" in ERROR_CATALOGUE[refused.value.code].en
    assert 50 <= (refused.value.retry_after or 0) <= 60
    assert len(superuser.rows("SELECT 1 FROM payment_service.portone_answers")) == answers, "PortOne was called"

    desk.faults("none")
    assert code_of(lambda: other.confirm(left, token)) == "PAYMENT_UNAVAILABLE"  # not yet
    desk.clock.now += timedelta(seconds=61)
    other.clock.now = desk.clock.now
    assert other.confirm(left, token).status is PaymentStatus.SUCCESS
    assert other.kept_by_gateway(left) == AMOUNT


def test_what_was_never_paid_is_failed_and_money_that_comes_later_goes_back(desk: Desk, superuser: Database) -> None:
    payment = desk.create()
    desk.clock.now += timedelta(seconds=400)
    desk.settle_payments.settle()
    assert messages(superuser) == ["PaymentFailed"]
    desk.pay(payment, "PAID")
    desk.sync.handle_webhook(payment.id)
    assert desk.kept_by_gateway(payment) == 0
    assert messages(superuser) == ["PaymentFailed"]


def owe(desk: Desk, superuser: Database, payment: Payment, amount: int) -> RefundId:
    refund_id = RefundId(uuid4())
    with desk.database.transaction() as connection:
        assert desk.refund_records.add_refund(connection, refund_id, payment.reservation_id, amount, "USER_REQUEST")
    return refund_id


def paid(desk: Desk) -> Payment:
    payment = desk.create()
    return desk.confirm(payment, desk.pay(payment, "AUTHORIZED"))


def test_a_refund_of_a_reservation_that_was_never_paid_is_refused_and_so_a_dead_letter(desk: Desk) -> None:
    unpaid = desk.create()
    cancelled = ReservationCancelled(
        reservation_id=unpaid.reservation_id,
        event_id=EVENT,
        seat_ids=[],
        cancelled_at=desk.clock(),
        reason="USER_REQUEST",
        refund_amount=AMOUNT,
    )
    message = envelope(
        cancelled, message_id=uuid4(), at=desk.clock(), correlation_id="", causation_id=None, user_id=unpaid.user_id
    )
    with desk.database.transaction() as connection:
        assert code_of(lambda: desk.refunds.add_refund(connection, message, cancelled)) == "NOT_FOUND"


def test_a_refund_is_given_once_by_all_who_try(desks: Callable[[int], list[Desk]], superuser: Database) -> None:
    several = desks(5)
    payment = paid(several[0])
    refund_id = owe(several[0], superuser, payment, 100_000)
    concurrently([partial(each.refunds.make_now, refund_id) for each in several])
    several[0].refunds.make_due()
    assert several[0].kept_by_gateway(payment) == AMOUNT - 100_000
    stored = several[0].payments.find(payment.id)
    assert stored is not None
    assert (stored.status, stored.refunded_amount) == (PaymentStatus.REFUNDED, 100_000)
    assert messages(superuser) == ["PaymentSuccess", "PaymentRefunded"]


def test_two_attempts_that_both_gave_a_refund_count_it_once(desk: Desk, superuser: Database) -> None:
    """Each heard from PortOne that the money was given back before the other had recorded it."""
    payment = paid(desk)
    refund = desk.refund_records.find_due(owe(desk, superuser, payment, 100_000))
    assert refund is not None
    for _ in range(2):
        desk.outcome.refunded(refund, datetime.now(UTC))
    stored = desk.payments.find(payment.id)
    assert stored is not None
    assert stored.refunded_amount == 100_000
    assert messages(superuser) == ["PaymentSuccess", "PaymentRefunded"]


def test_a_refund_that_portone_refuses_to_hear_stays_due_until_it_is_done(desk: Desk, superuser: Database) -> None:
    payment = paid(desk)
    owe(desk, superuser, payment, AMOUNT)
    desk.faults("error")
    assert desk.refunds.make_due() == 1
    due = superuser.rows("SELECT attempts, last_error, done_at FROM payment_service.refunds")
    assert [(row["attempts"], row["done_at"]) for row in due] == [(1, None)]
    desk.faults("none")
    assert desk.refunds.make_due() == 0, "some stay due"
    assert desk.kept_by_gateway(payment) == 0


def test_a_refund_whose_answer_was_lost_is_not_given_twice(desk: Desk, superuser: Database) -> None:
    payment = paid(desk)
    owe(desk, superuser, payment, 100_000)
    desk.portone._client.timeout = httpx.Timeout(0.3)
    desk.faults("timeout")
    desk.refunds.make_due()
    desk.faults("none")
    desk.refunds.make_due()
    assert desk.kept_by_gateway(payment) == AMOUNT - 100_000
    assert messages(superuser) == ["PaymentSuccess", "PaymentRefunded"]


def test_every_answer_of_portones_is_kept_whole(desk: Desk, superuser: Database) -> None:
    payment = paid(desk)
    kept = superuser.rows(
        "SELECT call, status, answer FROM payment_service.portone_answers WHERE payment_id = %s ORDER BY id",
        (payment.id,),
    )
    assert [(row["call"], row["status"]) for row in kept] == [("pre-register", 200), ("confirm", 200), ("view", 200)]
    assert kept[-1]["answer"]["status"] == "PAID"


def test_nobody_sees_or_confirms_anothers_payment(desk: Desk) -> None:
    payment = desk.create()
    assert code_of(lambda: desk.confirm_payment.confirm(UserId(uuid4()), payment.id, None)) == "NOT_FOUND"
    assert desk.payments.of_user(UserId(uuid4()), 20, 0) == ([], 0)
    assert [each.id for each in desk.payments.of_user(payment.user_id, 20, 0)[0]] == [payment.id]


# -- what a dishonest buyer found -----------------------------------------------------------------------------------


def status_of(desk: Desk, payment: Payment) -> PaymentStatus:
    stored = desk.payments.find(payment.id)
    assert stored is not None
    return stored.status


def test_a_give_up_on_a_stale_reading_never_touches_the_money_of_a_success(desk: Desk) -> None:
    """The hold of a CONFIRMED reservation is over too: that once refunded a ticket its buyer kept."""
    payment = desk.create()
    desk.pay(payment, "PAID")

    def confirmed_by_another_click(reservation_id: UUID, user_id: UUID, extension_seconds: int) -> PayableResponse:
        desk.sync.handle_webhook(payment.id)
        raise HoldExpired()

    desk.payable = confirmed_by_another_click
    assert desk.confirm(payment).status is PaymentStatus.SUCCESS
    assert desk.kept_by_gateway(payment) == AMOUNT


def test_a_mismatch_that_is_answered_after_the_right_payment_takes_nothing_back(desk: Desk) -> None:
    payment = desk.create()
    token = desk.pay(payment, "AUTHORIZED", amount=1)
    original = desk.portone.confirm

    def pays_rightly_meanwhile(*arguments: Any) -> None:
        try:
            original(*arguments)
        finally:
            desk.pay(payment, "PAID")
            desk.sync.handle_webhook(payment.id)

    desk.portone.confirm = pays_rightly_meanwhile  # type: ignore[method-assign, assignment]
    assert desk.confirm(payment, token).status is PaymentStatus.SUCCESS
    assert desk.kept_by_gateway(payment) == AMOUNT


def test_money_seen_while_somebody_records_the_failure_is_given_back(
    desks: Callable[[int], list[Desk]], superuser: Database
) -> None:
    ours, theirs = desks(2)
    payment = ours.create()
    ours.pay(payment, "PAID")
    seen = ours.portone.view

    def sees_and_is_overtaken(payment_id: PaymentId) -> GatewayView | None:
        view = seen(payment_id)
        theirs.outcome.fail(payment_id, "declined a moment ago", theirs.clock())
        return view

    ours.portone.view = sees_and_is_overtaken  # type: ignore[method-assign]
    ours.sync.handle_webhook(payment.id)
    assert status_of(ours, payment) is PaymentStatus.FAILED
    assert ours.kept_by_gateway(payment) == 0


def test_money_for_a_failed_payment_whose_webhook_was_lost_is_found_and_given_back(desk: Desk) -> None:
    payment = desk.create()
    desk.pay(payment, "FAILED")
    desk.sync.handle_webhook(payment.id)
    desk.pay(payment, "PAID")  # another attempt in PortOne's window; nobody tells us
    desk.clock.now += timedelta(minutes=5)
    desk.settle_payments.settle()
    assert desk.kept_by_gateway(payment) == 0


@pytest.mark.parametrize("error", [GatewayRejected("PG_PROVIDER"), GatewayUnavailable(timed_out=True)])
def test_money_portone_will_not_give_back_for_days_is_asked_for_every_minute_and_counted(
    desk: Desk, error: Exception
) -> None:
    payment = desk.create()
    desk.pay(payment, "FAILED")
    desk.sync.handle_webhook(payment.id)
    desk.pay(payment, "PAID")
    desk.use_gateway(NoCancellations(desk.portone, error))
    for _ in range(3):
        desk.clock.now += timedelta(days=1) - timedelta(seconds=1)
        assert desk.settle_payments.settle() == 1
    desk.clock.now += timedelta(minutes=1)
    assert desk.settle_payments.settle() == 1
    assert desk.kept_by_gateway(payment) == AMOUNT

    desk.use_gateway(desk.portone)
    desk.clock.now += timedelta(minutes=1)
    assert desk.settle_payments.settle() == 0
    assert desk.kept_by_gateway(payment) == 0


def test_money_given_back_by_one_that_died_right_after_is_owed_no_more(desk: Desk) -> None:
    payment = desk.create()
    desk.pay(payment, "FAILED")
    desk.sync.handle_webhook(payment.id)
    desk.pay(payment, "PAID")
    desk.use_gateway(NoCancellations(desk.portone))
    desk.sync.handle_webhook(payment.id)  # on record; and then PortOne has done it, and nobody was told
    desk.portone.cancel(payment.id, AMOUNT, "FAILED", AMOUNT, uuid4().hex)
    desk.clock.now += timedelta(days=9)
    assert desk.settle_payments.settle() == 0


def test_money_owed_since_later_stays_owed_when_what_was_owed_before_is_back(desk: Desk) -> None:
    payment = desk.create()
    desk.outcome.fail(payment.id, "FAILED", desk.clock())
    before, later = desk.clock(), desk.clock() + timedelta(seconds=1)
    desk.payments.mark_reversal_due(payment.id, before)
    desk.payments.mark_reversed(payment.id, before)  # by somebody quicker than us
    desk.payments.mark_reversal_due(payment.id, later)
    desk.payments.mark_reversed(payment.id, before)  # and then by us
    assert desk.confirm_payment.find(payment.user_id, payment.id).reversal_due_since == later


@pytest.mark.parametrize("text", ["a\x00b", "\\u0000", "\ud800", '{"a": "\\u0000"}'])
def test_whatever_a_browser_wrote_at_portone_is_kept_as_it_came(desk: Desk, superuser: Database, text: str) -> None:
    answer = {"orderName": text, "customData": text}
    desk.payments.add_gateway_answer(PaymentId(uuid4()), "view", 200, answer)
    assert superuser.rows("SELECT answer FROM payment_service.portone_answers")[0]["answer"] == answer


def test_one_payment_that_cannot_be_settled_holds_up_none_of_the_others(desk: Desk) -> None:
    stuck, *others = [desk.create() for _ in range(5)]
    desk.use_gateway(Unreadable(desk.portone, stuck.id))
    desk.clock.now += timedelta(seconds=400)
    assert desk.settle_payments.settle(limit=1) == 1
    assert [status_of(desk, each) for each in (stuck, *others)] == [PaymentStatus.PENDING, *[PaymentStatus.FAILED] * 4]


def test_one_refund_that_cannot_be_given_holds_up_none_of_the_others(desk: Desk, superuser: Database) -> None:
    stuck, other = paid(desk), paid(desk)
    owe(desk, superuser, stuck, AMOUNT)
    owe(desk, superuser, other, AMOUNT)
    desk.use_gateway(Unreadable(desk.portone, stuck.id))
    assert desk.refunds.make_due() == 1
    assert (desk.kept_by_gateway(stuck), desk.kept_by_gateway(other)) == (AMOUNT, 0)


@pytest.mark.parametrize("in_the_console", [20_000, AMOUNT])
def test_what_was_given_back_in_portones_console_is_not_given_again_and_the_rest_is(
    desk: Desk, superuser: Database, in_the_console: int
) -> None:
    payment = paid(desk)
    desk.portone.cancel(payment.id, in_the_console, "goodwill", AMOUNT, uuid4().hex)
    owe(desk, superuser, payment, AMOUNT)
    assert desk.refunds.make_due() == 0
    assert desk.kept_by_gateway(payment) == 0
    assert status_of(desk, payment) is PaymentStatus.REFUNDED


def test_a_failed_payment_is_looked_at_ever_less_often_and_for_a_day(desk: Desk) -> None:
    payment = desk.create()
    desk.pay(payment, "FAILED")
    desk.sync.handle_webhook(payment.id)
    looks = 0
    for _ in range(2 * 24 * 60):
        desk.clock.now += timedelta(minutes=1)
        looks += len(desk.payments.failed_to_check(desk.clock(), desk.clock() - timedelta(days=1), 10)) and 1
        if desk.payments.failed_to_check(desk.clock(), desk.clock() - timedelta(days=1), 10):
            desk.payments.mark_checked(payment.id, desk.clock())
    assert 5 <= looks <= 25


def test_give_backs_that_meet_are_no_error_and_give_once(desks: Callable[[int], list[Desk]]) -> None:
    several = desks(6)
    payment = several[0].create()
    several[0].pay(payment, "PAID", amount=1)
    several[0].faults("slow", latencyMs=200)
    outcomes = concurrently([partial(each.confirm, payment) for each in several])
    several[0].faults("none")
    assert {str(each) for each in outcomes} == {"AMOUNT_MISMATCH"}
    assert several[0].kept_by_gateway(payment) == 0


def test_thirty_clicks_on_confirm_buy_one_ticket_and_refund_nothing(
    desks: Callable[[int], list[Desk]], superuser: Database
) -> None:
    several = desks(12)
    payment = several[0].create()
    token = several[0].pay(payment, "AUTHORIZED")
    for each in several[6:]:
        each.hold_expired = True  # as reservations answers once the reservation is CONFIRMED
    outcomes = concurrently([partial(each.confirm, payment, token) for each in several])
    state = status_of(several[0], payment)
    kept = several[0].kept_by_gateway(payment)
    # Either the approval or the give-up was first; never both.
    assert (state, kept) in ((PaymentStatus.SUCCESS, AMOUNT), (PaymentStatus.FAILED, 0)), outcomes
    assert len(messages(superuser)) == 1
