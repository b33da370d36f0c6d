"""What buyers get when their event is cancelled or rescheduled, through outbox and consumers (EVT-028, EVT-029)."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts.refund_tally import RefundTallyAnswer
from common.domain.clock import new_id
from common.domain.shared_errors import DomainError, SaleClosed
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.events.errors import EventEnded, EventHasReservations, EventIsCancelled, SaleNotStarted
from functions.events.event_edit import EventEdit
from functions.events.programme import Programme as Desk
from functions.events.revision import ANY
from functions.payments.payment_store import PaymentStore
from functions.payments.refund import Refund
from functions.reservations.domain.errors import NotCancellable
from functions.reservations.domain.reservation import CancelReason, Status
from tests.box_office import BoxOffice
from tests.concurrently import concurrently
from tests.reservations_service import ReservationsService
from tools.demo.buyer import eventually
from tools.simulation.events_service import SALE_STARTS, SHOW_ENDS, SHOW_STARTS

CANCELLED, CONFIRMED, PENDING = Status.CANCELLED, Status.CONFIRMED, Status.PENDING


@pytest.fixture
def office(database_of: Callable[[str], Database], superuser: Database, redis: Client) -> BoxOffice:
    return BoxOffice(database_of, superuser, redis)


def second_worker(office: BoxOffice, database_of: Callable[[str], Database], redis: Client) -> ReservationsService:
    """Another execution environment of the reservations service."""
    return ReservationsService(database_of("reservation_service"), redis, office, office.clock)


def refused(problem: type[DomainError], call: Callable[[], object]) -> None:
    with pytest.raises(DomainError) as refusal:
        call()
    assert type(refusal.value) is problem


class Buyers:
    """Reservations and payments, asked directly; without payments nothing has been refunded."""

    def __init__(self, office: BoxOffice, payments: PaymentStore | None = None) -> None:
        self.tally = office.tally
        self._payments = payments

    def refunds(self, event_id: UUID) -> RefundTallyAnswer:
        if self._payments is None:
            return RefundTallyAnswer(event_id=event_id, due=0, done=0, amount_due=0, amount_done=0)
        tally = self._payments.refund_tally(event_id, "EVENT_CANCELLED")
        return RefundTallyAnswer.model_validate({"event_id": event_id, **tally})


def desk(office: BoxOffice, payments: PaymentStore | None = None) -> Desk:
    programme = office.programme
    return Desk(programme.venues, programme.events, programme.cache, Buyers(office, payments), new_id)


def cancel(office: BoxOffice) -> None:
    desk(office).cancel(office.event.id, "the singer is ill", uuid4(), ANY)


def refunds_told(superuser: Database) -> dict[str, int]:
    rows = superuser.rows("SELECT payload FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    told = [json.loads(row["payload"])["payload"] for row in rows]
    return {each["reservationId"]: each["refundAmount"] for each in told if each["reason"] == "EVENT_CANCELLED"}


def test_every_buyer_of_a_cancelled_event_is_refunded_in_full(office: BoxOffice, superuser: Database) -> None:
    bought, other, held = office.buy(0), office.buy(1, 2), office.hold(3)
    cancel(office)
    cancel(office)
    assert office.courier.deliver().count("EventCancelled") == 1, "cancelled twice, told once"
    while office.reservations.cancel_event_reservations.cancel_batch(limit=2):
        pass
    office.courier.deliver()

    assert office.statuses(bought, other, held) == [CANCELLED] * 3
    assert {office.now(each).cancel_reason for each in (bought, other, held)} == {CancelReason.EVENT_CANCELLED}
    assert refunds_told(superuser) == {
        str(bought.id): bought.total_amount,
        str(other.id): other.total_amount,
        str(held.id): 0,
    }
    assert office.programme.reads.sold(office.event.id) == []
    assert office.holds.held(office.event_id, office.clock()) == set()
    refused(SaleClosed, lambda: office.hold(4))


def test_a_buyer_who_cancels_before_the_event_cancellation_arrives_pays_no_fee(
    office: BoxOffice, superuser: Database
) -> None:
    bought = office.buy(0)
    office.programme.now = SHOW_STARTS - timedelta(hours=3)
    cancel(office)
    office.courier.deliver()
    given_back = office.reservations.cancel_reservation.cancel(bought.user_id, bought.id)
    assert (given_back.fee, given_back.refund_amount) == (0, bought.total_amount)
    assert office.reservations.cancel_event_reservations.cancel_batch(limit=10) == 0
    assert refunds_told(superuser) == {str(bought.id): bought.total_amount}


def test_after_a_crash_in_a_batch_the_next_batch_cancels_the_rest(
    office: BoxOffice, superuser: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = [office.buy(seat) for seat in range(6)]
    cancel(office)
    office.courier.deliver()
    assert office.reservations.cancel_event_reservations.cancel_batch(limit=2) == 2

    survived, real = [], office.repository.cancel

    def dies_at_the_second(*arguments: Any, **more: Any) -> None:
        if survived:
            raise RuntimeError("the lights went out")
        survived.append(1)
        real(*arguments, **more)

    with monkeypatch.context() as broken:
        broken.setattr(office.repository, "cancel", dies_at_the_second)
        with pytest.raises(RuntimeError):
            office.reservations.cancel_event_reservations.cancel_batch(limit=2)
    assert office.statuses(*everybody).count(CANCELLED) == 2, "a batch is all or nothing, its messages with it"
    assert len(refunds_told(superuser)) == 2
    assert desk(office).cancellation(office.event.id).reservations_to_cancel == 4

    while office.reservations.cancel_event_reservations.cancel_batch(limit=2):
        pass
    assert refunds_told(superuser) == {str(each.id): each.total_amount for each in everybody}


def test_concurrent_workers_refund_every_buyer_once(
    office: BoxOffice, superuser: Database, database_of: Callable[[str], Database], redis: Client
) -> None:
    everybody = [office.buy(seat) for seat in range(8)]
    cancel(office)
    office.courier.deliver()
    workers = [second_worker(office, database_of, redis) for _ in range(4)]

    def work_off(worker: ReservationsService) -> int:
        done = 0
        while batch := worker.cancel_event_reservations.cancel_batch(1):
            done += batch
        return done

    counts = concurrently([partial(work_off, worker) for worker in workers])
    assert sum(count for count in counts if isinstance(count, int)) == 8
    told = superuser.rows("SELECT event_type FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    assert len(told) == len(refunds_told(superuser)) == len(everybody)


@pytest.mark.parametrize("seen_through", [False, True])
def test_a_payment_after_the_event_cancellation_is_refunded(
    office: BoxOffice, superuser: Database, seen_through: bool
) -> None:
    late = office.hold(0)
    cancel(office)
    office.courier.deliver()
    while seen_through and office.reservations.cancel_event_reservations.cancel_batch():
        pass
    office.pay(late)
    assert office.statuses(late) == [CANCELLED]
    assert refunds_told(superuser)[str(late.id)] == late.total_amount
    assert office.now(late).refund_amount == late.total_amount


def test_a_payment_during_the_event_cancellation_never_leaves_a_ticket(
    office: BoxOffice, superuser: Database, database_of: Callable[[str], Database], redis: Client
) -> None:
    held = [office.hold(seat) for seat in range(8)]
    cancel(office)
    worker = second_worker(office, database_of, redis)

    def pay_all() -> None:
        for each in held:
            office.pay(each)

    def call_off() -> None:
        with worker.database.transaction() as connection:
            worker.repository.add_cancelled_event(connection, office.event_id, office.clock())
        while worker.cancel_event_reservations.cancel_batch(3):
            pass

    assert concurrently([pay_all, call_off]) == [None, None]
    assert office.statuses(*held) == [CANCELLED] * 8
    owed = superuser.rows("SELECT payload FROM common.outbox_events WHERE event_type = 'ReservationCancelled'")
    given = [json.loads(row["payload"])["payload"] for row in owed]
    refunds = {each["reservationId"]: each["refundAmount"] for each in given if each["refundAmount"]}
    assert refunds == {str(each.id): each.total_amount for each in held}
    assert len([each for each in given if each["refundAmount"]]) == 8, "once each"


def test_a_late_confirmation_during_the_event_cancellation_is_refunded_in_full(
    office: BoxOffice, superuser: Database, database_of: Callable[[str], Database]
) -> None:
    """Timed out, then paid after all: no row of its was live for the cancellation to wait for."""
    late = office.hold(0)
    office.later(seconds=301)
    assert office.reservations.expire_holds.expire() == 1
    cancel(office)

    def call_off() -> None:
        office.courier.deliver()
        while office.reservations.cancel_event_reservations.cancel_batch():
            pass

    def waits_or_is_through() -> bool:
        return not calling_off.is_alive() or bool(superuser.rows("SELECT FROM pg_locks WHERE NOT granted"))

    calling_off = Thread(target=call_off)
    with database_of("reservation_service").transaction() as connection:
        office.hear_of_payment(connection, late)
        calling_off.start()
        eventually(waits_or_is_through, bool)
    calling_off.join(10)
    assert office.statuses(late) == [CANCELLED]
    assert refunds_told(superuser) == {str(late.id): late.total_amount}


def test_an_admin_sees_the_progress_of_the_refunds(
    office: BoxOffice, superuser: Database, database_of: Callable[[str], Database]
) -> None:
    payments = PaymentStore(database_of("payment_service"), Outbox(office.clock))
    bought = [office.buy(seat) for seat in range(3)]
    total = sum(each.total_amount for each in bought)
    admin = desk(office, payments)
    cancel(office)
    seen = admin.cancellation(office.event.id)
    assert (seen.reservations_to_cancel, seen.reservations_cancelled, seen.done) == (3, 0, False)
    assert seen.reason == "the singer is ill"

    office.courier.deliver()
    while office.reservations.cancel_event_reservations.cancel_batch():
        pass
    seen = admin.cancellation(office.event.id)
    assert (seen.reservations_to_cancel, seen.reservations_cancelled) == (0, 3)
    assert (seen.amount_due, seen.amount_refunded, seen.done) == (total, 0, False), "payments has not heard of it yet"

    refunds = []
    for each in bought:
        payment_id, refund_id = uuid4(), uuid4()
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
        with payments._database.transaction() as connection:
            assert payments.owe(connection, refund_id, each.id, each.total_amount, "EVENT_CANCELLED")
        refunds.append(Refund(refund_id, payment_id, each.total_amount, "EVENT_CANCELLED", 0))
    assert admin.cancellation(office.event.id).refunds_due == 3
    payments.refunded(refunds[0], office.clock())
    assert not admin.cancellation(office.event.id).done
    for refund in refunds[1:]:
        payments.refunded(refund, office.clock())
    seen = admin.cancellation(office.event.id)
    assert (seen.refunds_due, seen.refunds_done, seen.amount_due, seen.amount_refunded) == (0, 3, 0, total)
    assert seen.done


def test_an_event_that_is_over_is_not_cancelled(office: BoxOffice) -> None:
    office.programme.now = SHOW_ENDS
    refused(EventEnded, lambda: cancel(office))


@pytest.mark.parametrize("reserve", ["hold", "buy"])
def test_an_event_with_reservations_is_not_deleted(office: BoxOffice, reserve: str) -> None:
    reservation = getattr(office, reserve)(0)
    refused_with = pytest.raises(DomainError)
    with refused_with as refusal:
        desk(office).delete(office.event.id, uuid4(), ANY)
    assert type(refusal.value) is EventHasReservations
    office.reservations.cancel_reservation.cancel(reservation.user_id, reservation.id)
    desk(office).delete(office.event.id, uuid4(), ANY)


def test_a_reservation_made_while_the_event_is_deleted_is_refunded_in_full(
    office: BoxOffice, superuser: Database
) -> None:
    desk(office).delete(office.event.id, uuid4(), ANY)
    office.courier.deliver()
    with superuser.transaction() as connection:  # the hold that had asked of the event a moment before
        connection.execute("UPDATE event_service.events SET deleted_at = NULL")
    straggler = office.hold(0)
    office.pay(straggler)
    assert office.now(straggler).cancel_reason is CancelReason.EVENT_CANCELLED
    assert refunds_told(superuser) == {str(straggler.id): straggler.total_amount}


# -- rescheduling -----------------------------------------------------------------------------------------------------


def reschedule(office: BoxOffice, days: int) -> None:
    by = timedelta(days=days)
    times = EventEdit.model_validate({"startsAt": SHOW_STARTS + by, "endsAt": SHOW_ENDS + by})
    desk(office).reschedule(office.event.id, times, "the hall is flooded", uuid4(), ANY)
    office.courier.deliver()


def test_after_a_reschedule_earlier_reservations_are_cancelled_for_free_until_the_event_starts(
    office: BoxOffice,
) -> None:
    early = office.buy(0)
    office.programme.now = SHOW_STARTS - timedelta(days=2)
    reschedule(office, days=1)
    late = office.buy(1)
    moved = SHOW_STARTS + timedelta(days=1)
    assert [office.now(each).event_starts_at for each in (early, late)] == [moved, moved]

    office.programme.now = moved - timedelta(minutes=1)
    refused(NotCancellable, lambda: office.reservations.cancel_reservation.cancel(late.user_id, late.id))
    given_back = office.reservations.cancel_reservation.cancel(early.user_id, early.id)
    assert (given_back.fee, given_back.refund_amount) == (0, early.total_amount)


def test_an_expired_hold_that_a_late_payment_confirms_has_the_new_time_of_its_event(office: BoxOffice) -> None:
    late = office.hold(0)
    office.later(minutes=10)
    office.reservations.expire_holds.expire()
    reschedule(office, days=1)
    office.pay(late)
    revived = office.now(late)
    assert (revived.status, revived.event_starts_at) == (Status.CONFIRMED, SHOW_STARTS + timedelta(days=1))
    assert office.reservations.cancel_reservation.cancel(late.user_id, late.id).fee == 0


def test_a_rescheduled_event_that_has_started_cannot_be_cancelled_by_buyers(office: BoxOffice) -> None:
    early = office.buy(0)
    reschedule(office, days=1)
    office.programme.now = SHOW_STARTS + timedelta(days=1)
    refused(NotCancellable, lambda: office.reservations.cancel_reservation.cancel(early.user_id, early.id))


def test_an_event_is_rescheduled_only_between_the_start_of_its_sale_and_its_end(office: BoxOffice) -> None:
    office.programme.now = SALE_STARTS - timedelta(days=1)
    refused(SaleNotStarted, lambda: reschedule(office, days=1))
    office.programme.now = SHOW_ENDS
    refused(EventEnded, lambda: reschedule(office, days=1))
    office.programme.now = SALE_STARTS
    cancel(office)
    refused(EventIsCancelled, lambda: reschedule(office, days=1))


def test_a_reschedule_to_the_same_time_publishes_nothing(office: BoxOffice) -> None:
    bought = office.buy(0)
    office.courier.deliver()
    reschedule(office, days=0)
    assert office.courier.deliver() == []
    assert office.now(bought).rescheduled_at is None
