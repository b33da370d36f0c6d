"""An event that is cancelled or rescheduled, and what its buyers are refunded, through outbox and consumers (EVT-028,
EVT-029)."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts.refund_tally import RefundTallyResponse
from common.domain.ids import EventId, PaymentId, RefundId, ReservationId, UserId
from common.domain.shared_errors import DomainError, SaleClosed
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.events.domain.cancellation import CancellationProgress
from functions.events.domain.entity_tag import ANY_VERSION
from functions.events.domain.errors import EventEnded, EventHasReservations, EventIsCancelled, SaleNotStarted
from functions.events.domain.event_edit import EventEdit
from functions.events.usecases.cancellation_reader import CancellationReader
from functions.events.usecases.event_deletion import EventDeletion
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.adapters.refund_repository import RefundRepository
from functions.payments.domain.refund import Refund
from functions.payments.usecases.record_outcome import RecordOutcome
from functions.reservations.domain.errors import NotCancellable
from functions.reservations.domain.reservation import CancelReason, Status
from tests.support.concurrently import concurrently
from tests.support.fixtures.reservations_service import ReservationsService
from tests.support.fixtures.sale_services import SaleServices
from tools.demo.buyer import eventually
from tools.simulation.events_service import SALE_STARTS, SHOW_ENDS, SHOW_STARTS

CANCELLED, CONFIRMED, PENDING = Status.CANCELLED, Status.CONFIRMED, Status.PENDING


@pytest.fixture
def office(database_of: Callable[[str], Database], superuser: Database, redis: Client) -> SaleServices:
    return SaleServices(database_of, superuser, redis)


def second_worker(office: SaleServices, database_of: Callable[[str], Database], redis: Client) -> ReservationsService:
    """Another execution environment of the reservations service."""
    return ReservationsService(database_of("reservation_service"), redis, office, office.clock)


def expect_error(kind: type[DomainError], call: Callable[[], object]) -> None:
    with pytest.raises(DomainError) as raised:
        call()
    assert type(raised.value) is kind


class Payments:
    """The payments service, called directly; without its store nothing has been refunded."""

    def __init__(self, refunds: RefundRepository | None = None) -> None:
        self._refunds = refunds

    def refunds(self, event_id: UUID) -> RefundTallyResponse:
        if self._refunds is None:
            return RefundTallyResponse(event_id=EventId(event_id), due=0, done=0, amount_due=0, amount_done=0)
        totals = self._refunds.totals(EventId(event_id), "EVENT_CANCELLED")
        return RefundTallyResponse.model_validate({"event_id": event_id, **asdict(totals)})


def delete(office: SaleServices) -> None:
    events = office.events
    deletion = EventDeletion(events.database, events.events, events.outbox, events.cache, events.clock, office)
    deletion.delete(office.event.id, UserId(uuid4()), ANY_VERSION)


def cancellation(office: SaleServices, refunds: RefundRepository | None = None) -> CancellationProgress:
    reader = CancellationReader(office.events.events, office, Payments(refunds))
    return reader.progress(office.event.id)


def cancel(office: SaleServices) -> None:
    office.events.admin.cancel(office.event.id, "the singer is ill", UserId(uuid4()), ANY_VERSION)


def published_refunds(superuser: Database) -> dict[str, int]:
    rows = superuser.rows("SELECT payload FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    published = [json.loads(row["payload"])["payload"] for row in rows]
    return {each["reservationId"]: each["refundAmount"] for each in published if each["reason"] == "EVENT_CANCELLED"}


def test_all_buyers_of_a_cancelled_event_are_refunded_in_full(office: SaleServices, superuser: Database) -> None:
    bought, other, held = office.buy(0), office.buy(1, 2), office.hold(3)
    cancel(office)
    cancel(office)
    assert office.delivery.deliver().count("EventCancelled") == 1, "cancelled twice, published once"
    while office.reservations.cancel_event_reservations.cancel_batch(limit=2):
        pass
    office.delivery.deliver()

    assert office.statuses(bought, other, held) == [CANCELLED] * 3
    assert {office.now(each).cancel_reason for each in (bought, other, held)} == {CancelReason.EVENT_CANCELLED}
    assert published_refunds(superuser) == {
        str(bought.id): bought.total_amount,
        str(other.id): other.total_amount,
        str(held.id): 0,
    }
    assert office.events.reads.sold_seats(office.event.id) == []
    assert office.holds.held(office.event_id, office.clock()) == set()
    expect_error(SaleClosed, lambda: office.hold(4))


def test_a_buyer_who_cancels_before_the_event_cancellation_arrives_pays_no_fee(
    office: SaleServices, superuser: Database
) -> None:
    bought = office.buy(0)
    office.events.now = SHOW_STARTS - timedelta(hours=3)
    cancel(office)
    office.delivery.deliver()
    cancelled_reservation = office.reservations.cancel_reservation.cancel(bought.user_id, bought.id)
    assert (cancelled_reservation.fee, cancelled_reservation.refund_amount) == (0, bought.total_amount)
    assert office.reservations.cancel_event_reservations.cancel_batch(limit=10) == 0
    assert published_refunds(superuser) == {str(bought.id): bought.total_amount}


def test_after_a_crash_between_batches_the_next_run_refunds_the_rest(
    office: SaleServices, superuser: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought = [office.buy(seat) for seat in range(6)]
    cancel(office)
    office.delivery.deliver()
    assert office.reservations.cancel_event_reservations.cancel_batch(limit=2) == 2

    calls, real = [], office.repository.cancel

    def crash_at_the_second(*arguments: Any, **more: Any) -> None:
        if calls:
            raise RuntimeError("crash")
        calls.append(1)
        real(*arguments, **more)

    with monkeypatch.context() as broken:
        broken.setattr(office.repository, "cancel", crash_at_the_second)
        with pytest.raises(RuntimeError):
            office.reservations.cancel_event_reservations.cancel_batch(limit=2)
    assert office.statuses(*bought).count(CANCELLED) == 2, "a batch and its messages are all or nothing"
    assert len(published_refunds(superuser)) == 2
    assert cancellation(office).reservations_to_cancel == 4

    while office.reservations.cancel_event_reservations.cancel_batch(limit=2):
        pass
    assert published_refunds(superuser) == {str(each.id): each.total_amount for each in bought}


def test_concurrent_workers_refund_each_buyer_once(
    office: SaleServices, superuser: Database, database_of: Callable[[str], Database], redis: Client
) -> None:
    bought = [office.buy(seat) for seat in range(8)]
    cancel(office)
    office.delivery.deliver()
    workers = [second_worker(office, database_of, redis) for _ in range(4)]

    def refund_batches(worker: ReservationsService) -> int:
        done = 0
        while batch := worker.cancel_event_reservations.cancel_batch(1):
            done += batch
        return done

    counts = concurrently([partial(refund_batches, worker) for worker in workers])
    assert sum(count for count in counts if isinstance(count, int)) == 8
    published = superuser.rows("SELECT event_type FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    assert len(published) == len(published_refunds(superuser)) == len(bought)


@pytest.mark.parametrize("seen_through", [False, True])
def test_a_payment_after_the_cancellation_is_refunded(
    office: SaleServices, superuser: Database, seen_through: bool
) -> None:
    late = office.hold(0)
    cancel(office)
    office.delivery.deliver()
    while seen_through and office.reservations.cancel_event_reservations.cancel_batch():
        pass
    office.pay(late)
    assert office.statuses(late) == [CANCELLED]
    assert published_refunds(superuser)[str(late.id)] == late.total_amount
    assert office.now(late).refund_amount == late.total_amount


def test_a_payment_during_the_cancellation_leaves_no_confirmed_reservation(
    office: SaleServices, superuser: Database, database_of: Callable[[str], Database], redis: Client
) -> None:
    held = [office.hold(seat) for seat in range(8)]
    cancel(office)
    worker = second_worker(office, database_of, redis)

    def pay_all() -> None:
        for each in held:
            office.pay(each)

    def apply_cancellation() -> None:
        with worker.database.transaction() as connection:
            worker.repository.add_cancelled_event(connection, office.event_id, office.clock())
        while worker.cancel_event_reservations.cancel_batch(3):
            pass

    assert concurrently([pay_all, apply_cancellation]) == [None, None]
    assert office.statuses(*held) == [CANCELLED] * 8
    published = superuser.rows("SELECT payload FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    given = [json.loads(row["payload"])["payload"] for row in published]
    refunds = {each["reservationId"]: each["refundAmount"] for each in given if each["refundAmount"]}
    assert refunds == {str(each.id): each.total_amount for each in held}
    assert len([each for each in given if each["refundAmount"]]) == 8, "once each"


def test_a_late_confirmation_during_the_cancellation_is_refunded_in_full(
    office: SaleServices, superuser: Database, database_of: Callable[[str], Database]
) -> None:
    """It expired and was then paid: it had no live row for the cancellation to wait for."""
    late = office.hold(0)
    office.later(seconds=301)
    assert office.reservations.expire_holds.expire() == 1
    cancel(office)

    def apply_cancellation() -> None:
        office.delivery.deliver()
        while office.reservations.cancel_event_reservations.cancel_batch():
            pass

    def waits_or_is_through() -> bool:
        return not applying.is_alive() or bool(superuser.rows("SELECT FROM pg_locks WHERE NOT granted"))

    applying = Thread(target=apply_cancellation)
    with database_of("reservation_service").transaction() as connection:
        office.hear_of_payment(connection, late)
        applying.start()
        eventually(waits_or_is_through, bool)
    applying.join(10)
    assert office.statuses(late) == [CANCELLED]
    assert published_refunds(superuser) == {str(late.id): late.total_amount}


def test_an_admin_sees_the_progress_of_the_refunds(
    office: SaleServices, superuser: Database, database_of: Callable[[str], Database]
) -> None:
    database = database_of("payment_service")
    refund_records = RefundRepository(database)
    outcome = RecordOutcome(database, PaymentRepository(database), refund_records, Outbox(office.clock))
    bought = [office.buy(seat) for seat in range(3)]
    total = sum(each.total_amount for each in bought)
    cancel(office)
    seen = cancellation(office, refund_records)
    assert (seen.reservations_to_cancel, seen.reservations_cancelled, seen.done) == (3, 0, False)
    assert seen.reason == "the singer is ill"

    office.delivery.deliver()
    while office.reservations.cancel_event_reservations.cancel_batch():
        pass
    seen = cancellation(office, refund_records)
    assert (seen.reservations_to_cancel, seen.reservations_cancelled) == (0, 3)
    assert (seen.amount_due, seen.amount_refunded, seen.done) == (total, 0, False), (
        "payments has not consumed the messages yet"
    )

    refunds = []
    for each in bought:
        payment_id, refund_id = PaymentId(uuid4()), RefundId(uuid4())
        with superuser.transaction() as connection:
            connection.execute(
                """
                INSERT INTO payment_service.payments
                       (id, payment_key, reservation_id, event_id, user_id, order_name, amount, method, status, paid_at)
                VALUES (%(id)s, %(id)s::text, %(reservation)s, %(event)s, %(user)s, 'Order', %(amount)s, 'CARD',
                        'SUCCESS', now())
                """,
                {
                    "id": payment_id,
                    "reservation": each.id,
                    "event": office.event.id,
                    "user": each.user_id,
                    "amount": each.total_amount,
                },
            )
        with database.transaction() as connection:
            reservation_id, amount = ReservationId(each.id), each.total_amount
            assert refund_records.add_refund(connection, refund_id, reservation_id, amount, "EVENT_CANCELLED")
        refunds.append(Refund(refund_id, payment_id, each.total_amount, "EVENT_CANCELLED", 0))
    assert cancellation(office, refund_records).refunds_due == 3
    outcome.refunded(refunds[0], office.clock())
    assert not cancellation(office, refund_records).done
    for refund in refunds[1:]:
        outcome.refunded(refund, office.clock())
    seen = cancellation(office, refund_records)
    assert (seen.refunds_due, seen.refunds_done, seen.amount_due, seen.amount_refunded) == (0, 3, 0, total)
    assert seen.done


def test_an_event_that_is_over_cannot_be_cancelled(office: SaleServices) -> None:
    office.events.now = SHOW_ENDS
    expect_error(EventEnded, lambda: cancel(office))


@pytest.mark.parametrize("reserve", ["hold", "buy"])
def test_an_event_with_live_reservations_cannot_be_deleted(office: SaleServices, reserve: str) -> None:
    reservation = getattr(office, reserve)(0)
    expectation = pytest.raises(DomainError)
    with expectation as raised:
        delete(office)
    assert type(raised.value) is EventHasReservations
    office.reservations.cancel_reservation.cancel(reservation.user_id, reservation.id)
    delete(office)


def test_a_reservation_made_during_the_deletion_is_refunded_in_full(office: SaleServices, superuser: Database) -> None:
    delete(office)
    office.delivery.deliver()
    with superuser.transaction() as connection:  # a hold that read the event just before the deletion
        connection.execute("UPDATE event_service.events SET deleted_at = NULL")
    late = office.hold(0)
    office.pay(late)
    assert office.now(late).cancel_reason is CancelReason.EVENT_CANCELLED
    assert published_refunds(superuser) == {str(late.id): late.total_amount}


# -- rescheduling -----------------------------------------------------------------------------------------------------


def reschedule(office: SaleServices, days: int) -> None:
    by = timedelta(days=days)
    times = EventEdit.model_validate({"startsAt": SHOW_STARTS + by, "endsAt": SHOW_ENDS + by})
    office.events.admin.reschedule(office.event.id, times, "the hall is flooded", UserId(uuid4()), ANY_VERSION)
    office.delivery.deliver()


def test_a_reservation_older_than_the_reschedule_has_no_cancellation_fee(
    office: SaleServices,
) -> None:
    early = office.buy(0)
    office.events.now = SHOW_STARTS - timedelta(days=2)
    reschedule(office, days=1)
    late = office.buy(1)
    moved = SHOW_STARTS + timedelta(days=1)
    assert [office.now(each).event_starts_at for each in (early, late)] == [moved, moved]

    office.events.now = moved - timedelta(minutes=1)
    expect_error(NotCancellable, lambda: office.reservations.cancel_reservation.cancel(late.user_id, late.id))
    cancelled_reservation = office.reservations.cancel_reservation.cancel(early.user_id, early.id)
    assert (cancelled_reservation.fee, cancelled_reservation.refund_amount) == (0, early.total_amount)


def test_an_expired_hold_that_a_late_payment_revives_has_the_rescheduled_time(office: SaleServices) -> None:
    late = office.hold(0)
    office.later(minutes=10)
    office.reservations.expire_holds.expire()
    reschedule(office, days=1)
    office.pay(late)
    revived = office.now(late)
    assert (revived.status, revived.event_starts_at) == (Status.CONFIRMED, SHOW_STARTS + timedelta(days=1))
    assert office.reservations.cancel_reservation.cancel(late.user_id, late.id).fee == 0


def test_a_rescheduled_show_cannot_be_cancelled_once_it_has_started(office: SaleServices) -> None:
    early = office.buy(0)
    reschedule(office, days=1)
    office.events.now = SHOW_STARTS + timedelta(days=1)
    expect_error(NotCancellable, lambda: office.reservations.cancel_reservation.cancel(early.user_id, early.id))


def test_a_show_is_rescheduled_only_while_it_is_on_sale(office: SaleServices) -> None:
    office.events.now = SALE_STARTS - timedelta(days=1)
    expect_error(SaleNotStarted, lambda: reschedule(office, days=1))
    office.events.now = SHOW_ENDS
    expect_error(EventEnded, lambda: reschedule(office, days=1))
    office.events.now = SALE_STARTS
    cancel(office)
    expect_error(EventIsCancelled, lambda: reschedule(office, days=1))


def test_a_reschedule_to_the_same_time_publishes_nothing(office: SaleServices) -> None:
    bought = office.buy(0)
    office.delivery.deliver()
    reschedule(office, days=0)
    assert office.delivery.deliver() == []
    assert office.now(bought).rescheduled_at is None
