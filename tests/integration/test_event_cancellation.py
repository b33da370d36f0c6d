"""Events that are cancelled or rescheduled, and their refunds, through outbox and consumers (EVT-028, EVT-029)."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts.refund_counts import RefundCountsResponse
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
from tools.simulation.events_service import EVENT_ENDS, EVENT_STARTS, SALE_STARTS

CANCELLED = Status.CANCELLED


@pytest.fixture
def services(database_of: Callable[[str], Database], superuser: Database, redis: Client) -> SaleServices:
    return SaleServices(database_of, superuser, redis)


def another_reservations_service(
    services: SaleServices, database_of: Callable[[str], Database], redis: Client
) -> ReservationsService:
    """Another execution environment of the reservations service."""
    return ReservationsService(database_of("reservation_service"), redis, services, services.clock)


def expect_error(kind: type[DomainError], call: Callable[[], object]) -> None:
    with pytest.raises(DomainError) as raised:
        call()
    assert type(raised.value) is kind


class Payments:
    """The payments service, called directly; without a repository nothing has been refunded."""

    def __init__(self, refunds: RefundRepository | None = None) -> None:
        self._refunds = refunds

    def refunds(self, event_id: UUID) -> RefundCountsResponse:
        if self._refunds is None:
            return RefundCountsResponse(event_id=EventId(event_id), due=0, done=0, amount_due=0, amount_done=0)
        totals = self._refunds.totals(EventId(event_id), "EVENT_CANCELLED")
        return RefundCountsResponse.model_validate({"event_id": event_id, **asdict(totals)})


def delete(services: SaleServices) -> None:
    events = services.events
    deletion = EventDeletion(events.database, events.events, events.outbox, events.cache, events.clock, services)
    deletion.delete(services.event.id, UserId(uuid4()), ANY_VERSION)


def cancellation(services: SaleServices, refunds: RefundRepository | None = None) -> CancellationProgress:
    reader = CancellationReader(services.events.events, services, Payments(refunds))
    return reader.progress(services.event.id)


def cancel(services: SaleServices) -> None:
    services.events.admin.cancel(services.event.id, "the singer is ill", UserId(uuid4()), ANY_VERSION)


def published_refunds(superuser: Database) -> dict[str, int]:
    rows = superuser.rows("SELECT payload FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    published = [json.loads(row["payload"])["payload"] for row in rows]
    return {each["reservationId"]: each["refundAmount"] for each in published if each["reason"] == "EVENT_CANCELLED"}


def test_all_buyers_of_a_cancelled_event_are_refunded_in_full(services: SaleServices, superuser: Database) -> None:
    bought, other, held = services.buy(0), services.buy(1, 2), services.hold(3)
    cancel(services)
    cancel(services)
    assert services.delivery.deliver().count("EventCancelled") == 1, "two cancellations are published once"
    while services.reservations.cancel_event_reservations.cancel_batch(limit=2):
        pass
    services.delivery.deliver()

    assert services.statuses(bought, other, held) == [CANCELLED] * 3
    assert {services.now(each).cancel_reason for each in (bought, other, held)} == {CancelReason.EVENT_CANCELLED}
    assert published_refunds(superuser) == {
        str(bought.id): bought.total_amount,
        str(other.id): other.total_amount,
        str(held.id): 0,
    }
    assert services.events.reads.sold_seats(services.event.id) == []
    assert services.holds.held(services.event_id, services.clock()) == set()
    expect_error(SaleClosed, lambda: services.hold(4))


def test_a_buyer_who_cancels_before_the_event_cancellation_arrives_pays_no_fee(
    services: SaleServices, superuser: Database
) -> None:
    bought = services.buy(0)
    services.events.now = EVENT_STARTS - timedelta(hours=3)
    cancel(services)
    services.delivery.deliver()
    cancelled_reservation = services.reservations.cancel_reservation.cancel(bought.user_id, bought.id)
    assert (cancelled_reservation.fee, cancelled_reservation.refund_amount) == (0, bought.total_amount)
    assert services.reservations.cancel_event_reservations.cancel_batch(limit=10) == 0
    assert published_refunds(superuser) == {str(bought.id): bought.total_amount}


def test_after_a_crash_between_batches_the_next_run_refunds_the_rest(
    services: SaleServices, superuser: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought = [services.buy(seat) for seat in range(6)]
    cancel(services)
    services.delivery.deliver()
    assert services.reservations.cancel_event_reservations.cancel_batch(limit=2) == 2

    calls, cancel_one = [], services.repository.cancel

    def crash_at_the_second(*arguments: Any, **options: Any) -> None:
        if calls:
            raise RuntimeError("crash")
        calls.append(1)
        cancel_one(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(services.repository, "cancel", crash_at_the_second)
        with pytest.raises(RuntimeError):
            services.reservations.cancel_event_reservations.cancel_batch(limit=2)
    assert services.statuses(*bought).count(CANCELLED) == 2, "a batch and its messages are one transaction"
    assert len(published_refunds(superuser)) == 2
    assert cancellation(services).reservations_to_cancel == 4

    while services.reservations.cancel_event_reservations.cancel_batch(limit=2):
        pass
    assert published_refunds(superuser) == {str(each.id): each.total_amount for each in bought}


def test_concurrent_workers_refund_each_buyer_once(
    services: SaleServices, superuser: Database, database_of: Callable[[str], Database], redis: Client
) -> None:
    bought = [services.buy(seat) for seat in range(8)]
    cancel(services)
    services.delivery.deliver()
    workers = [another_reservations_service(services, database_of, redis) for _ in range(4)]

    def refund_batches(worker: ReservationsService) -> int:
        done = 0
        while batch := worker.cancel_event_reservations.cancel_batch(1):
            done += batch
        return done

    counts = concurrently([partial(refund_batches, worker) for worker in workers])
    assert sum(count for count in counts if isinstance(count, int)) == 8
    published = superuser.rows("SELECT event_type FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    assert len(published) == len(published_refunds(superuser)) == len(bought)


@pytest.mark.parametrize("reservations_cancelled", [False, True])
def test_a_payment_after_the_cancellation_is_refunded(
    services: SaleServices, superuser: Database, reservations_cancelled: bool
) -> None:
    late = services.hold(0)
    cancel(services)
    services.delivery.deliver()
    while reservations_cancelled and services.reservations.cancel_event_reservations.cancel_batch():
        pass
    services.pay(late)
    assert services.statuses(late) == [CANCELLED]
    assert published_refunds(superuser)[str(late.id)] == late.total_amount
    assert services.now(late).refund_amount == late.total_amount


def test_a_payment_during_the_cancellation_leaves_no_confirmed_reservation(
    services: SaleServices, superuser: Database, database_of: Callable[[str], Database], redis: Client
) -> None:
    held = [services.hold(seat) for seat in range(8)]
    cancel(services)
    worker = another_reservations_service(services, database_of, redis)

    def pay_all() -> None:
        for each in held:
            services.pay(each)

    def apply_cancellation() -> None:
        with worker.database.transaction() as connection:
            worker.repository.add_cancelled_event(connection, services.event_id, services.clock())
        while worker.cancel_event_reservations.cancel_batch(3):
            pass

    assert concurrently([pay_all, apply_cancellation]) == [None, None]
    assert services.statuses(*held) == [CANCELLED] * 8
    published = superuser.rows("SELECT payload FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    payloads = [json.loads(row["payload"])["payload"] for row in published]
    refunds = {each["reservationId"]: each["refundAmount"] for each in payloads if each["refundAmount"]}
    assert refunds == {str(each.id): each.total_amount for each in held}
    assert len([each for each in payloads if each["refundAmount"]]) == 8, "one refund each"


def test_a_late_confirmation_during_the_cancellation_is_refunded_in_full(
    services: SaleServices, superuser: Database, database_of: Callable[[str], Database]
) -> None:
    """The hold expired before its payment: the cancellation finds no live reservation that it could wait for."""
    late = services.hold(0)
    services.later(seconds=301)
    assert services.reservations.expire_holds.expire() == 1
    cancel(services)

    def apply_cancellation() -> None:
        services.delivery.deliver()
        while services.reservations.cancel_event_reservations.cancel_batch():
            pass

    def waits_or_has_ended() -> bool:
        return not applying.is_alive() or bool(superuser.rows("SELECT FROM pg_locks WHERE NOT granted"))

    applying = Thread(target=apply_cancellation)
    with database_of("reservation_service").transaction() as connection:
        services.apply_payment(connection, late)
        applying.start()
        eventually(waits_or_has_ended, bool)
    applying.join(10)
    assert services.statuses(late) == [CANCELLED]
    assert published_refunds(superuser) == {str(late.id): late.total_amount}


def test_an_admin_sees_the_progress_of_the_refunds(
    services: SaleServices, superuser: Database, database_of: Callable[[str], Database]
) -> None:
    database = database_of("payment_service")
    refund_records = RefundRepository(database)
    outcome = RecordOutcome(database, PaymentRepository(database), refund_records, Outbox(services.clock))
    bought = [services.buy(seat) for seat in range(3)]
    total = sum(each.total_amount for each in bought)
    cancel(services)
    progress = cancellation(services, refund_records)
    assert (progress.reservations_to_cancel, progress.reservations_cancelled, progress.done) == (3, 0, False)
    assert progress.reason == "the singer is ill"

    services.delivery.deliver()
    while services.reservations.cancel_event_reservations.cancel_batch():
        pass
    progress = cancellation(services, refund_records)
    assert (progress.reservations_to_cancel, progress.reservations_cancelled) == (0, 3)
    assert (progress.amount_due, progress.amount_refunded, progress.done) == (total, 0, False), (
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
                    "event": services.event.id,
                    "user": each.user_id,
                    "amount": each.total_amount,
                },
            )
        with database.transaction() as connection:
            reservation_id, amount = ReservationId(each.id), each.total_amount
            assert refund_records.add_refund(connection, refund_id, reservation_id, amount, "EVENT_CANCELLED")
        refunds.append(Refund(refund_id, payment_id, each.total_amount, "EVENT_CANCELLED", 0))
    assert cancellation(services, refund_records).refunds_due == 3
    outcome.refunded(refunds[0], services.clock())
    assert not cancellation(services, refund_records).done
    for refund in refunds[1:]:
        outcome.refunded(refund, services.clock())
    progress = cancellation(services, refund_records)
    assert (progress.refunds_due, progress.refunds_done) == (0, 3)
    assert (progress.amount_due, progress.amount_refunded) == (0, total)
    assert progress.done


def test_an_event_that_is_over_cannot_be_cancelled(services: SaleServices) -> None:
    services.events.now = EVENT_ENDS
    expect_error(EventEnded, lambda: cancel(services))


@pytest.mark.parametrize("reserve", ["hold", "buy"])
def test_an_event_with_live_reservations_cannot_be_deleted(services: SaleServices, reserve: str) -> None:
    reservation = getattr(services, reserve)(0)
    expect_error(EventHasReservations, lambda: delete(services))
    services.reservations.cancel_reservation.cancel(reservation.user_id, reservation.id)
    delete(services)


def test_a_reservation_made_during_the_deletion_is_refunded_in_full(
    services: SaleServices, superuser: Database
) -> None:
    delete(services)
    services.delivery.deliver()
    with superuser.transaction() as connection:  # a hold that read the event just before the deletion
        connection.execute("UPDATE event_service.events SET deleted_at = NULL")
    late = services.hold(0)
    services.pay(late)
    assert services.now(late).cancel_reason is CancelReason.EVENT_CANCELLED
    assert published_refunds(superuser) == {str(late.id): late.total_amount}


# -- rescheduling -----------------------------------------------------------------------------------------------------


def reschedule(services: SaleServices, days: int) -> None:
    delay = timedelta(days=days)
    times = EventEdit.model_validate({"startsAt": EVENT_STARTS + delay, "endsAt": EVENT_ENDS + delay})
    services.events.admin.reschedule(services.event.id, times, "the hall is flooded", UserId(uuid4()), ANY_VERSION)
    services.delivery.deliver()


def test_a_reservation_older_than_the_reschedule_has_no_cancellation_fee(
    services: SaleServices,
) -> None:
    early = services.buy(0)
    services.events.now = EVENT_STARTS - timedelta(days=2)
    reschedule(services, days=1)
    late = services.buy(1)
    new_start = EVENT_STARTS + timedelta(days=1)
    assert [services.now(each).event_starts_at for each in (early, late)] == [new_start, new_start]

    services.events.now = new_start - timedelta(minutes=1)
    expect_error(NotCancellable, lambda: services.reservations.cancel_reservation.cancel(late.user_id, late.id))
    cancelled_reservation = services.reservations.cancel_reservation.cancel(early.user_id, early.id)
    assert (cancelled_reservation.fee, cancelled_reservation.refund_amount) == (0, early.total_amount)


def test_an_expired_hold_that_is_confirmed_by_a_late_payment_has_the_rescheduled_time(services: SaleServices) -> None:
    late = services.hold(0)
    services.later(minutes=10)
    services.reservations.expire_holds.expire()
    reschedule(services, days=1)
    services.pay(late)
    confirmed = services.now(late)
    assert (confirmed.status, confirmed.event_starts_at) == (Status.CONFIRMED, EVENT_STARTS + timedelta(days=1))
    assert services.reservations.cancel_reservation.cancel(late.user_id, late.id).fee == 0


def test_a_reservation_of_a_rescheduled_event_cannot_be_cancelled_after_its_start(services: SaleServices) -> None:
    early = services.buy(0)
    reschedule(services, days=1)
    services.events.now = EVENT_STARTS + timedelta(days=1)
    expect_error(NotCancellable, lambda: services.reservations.cancel_reservation.cancel(early.user_id, early.id))


def test_an_event_is_rescheduled_only_while_it_is_on_sale(services: SaleServices) -> None:
    services.events.now = SALE_STARTS - timedelta(days=1)
    expect_error(SaleNotStarted, lambda: reschedule(services, days=1))
    services.events.now = EVENT_ENDS
    expect_error(EventEnded, lambda: reschedule(services, days=1))
    services.events.now = SALE_STARTS
    cancel(services)
    expect_error(EventIsCancelled, lambda: reschedule(services, days=1))


def test_a_reschedule_to_the_same_time_publishes_nothing(services: SaleServices) -> None:
    bought = services.buy(0)
    services.delivery.deliver()
    reschedule(services, days=0)
    assert services.delivery.deliver() == []
    assert services.now(bought).rescheduled_at is None
