"""What a cancellation refunds: the rules without a store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from common.domain.ids import EventId, PaymentId, ReservationId, SeatId, UserId
from functions.reservations.domain.cancellation import (
    Cancellation,
    cancel_for_buyer,
    cancel_for_event,
    cancel_unpaid,
    cancellation_terms,
    refund_late_payment,
)
from functions.reservations.domain.errors import CancellationFeeChanged, NotCancellable
from functions.reservations.domain.reservation import CancelReason, Reservation, Seat, Status

NOW = datetime(2026, 5, 1, 3, 0, tzinfo=UTC)
PAYMENT = PaymentId(uuid4())
PENDING = Reservation(
    id=ReservationId(uuid4()),
    user_id=UserId(uuid4()),
    event_id=EventId(uuid4()),
    event_title="Tour",
    event_starts_at=NOW + timedelta(days=5),
    status=Status.PENDING,
    seats=(Seat(SeatId(uuid4()), "A-1-1", "VIP", 150_001),),
    total_amount=150_001,
    hold_expires_at=NOW + timedelta(minutes=5),
    hold_extendable_until=NOW + timedelta(minutes=5, seconds=30),
    created_at=NOW,
)
CONFIRMED = replace(PENDING, status=Status.CONFIRMED, confirmed_at=NOW - timedelta(days=2), payment_id=PAYMENT)
CANCELLED = replace(PENDING, status=Status.CANCELLED, cancelled_at=NOW)


def test_an_unpaid_reservation_refunds_nothing() -> None:
    assert cancel_unpaid(CancelReason.HOLD_TIMEOUT, NOW) == Cancellation(CancelReason.HOLD_TIMEOUT, NOW)
    assert cancel_for_buyer(PENDING, NOW, event_cancelled=False) == Cancellation(CancelReason.USER_REQUEST, NOW)


def test_a_pending_reservation_can_be_cancelled_on_the_day_of_the_event() -> None:
    today = replace(PENDING, event_starts_at=NOW)
    assert cancel_for_buyer(today, NOW, event_cancelled=False).refund_amount == 0


@pytest.mark.parametrize(
    ("days", "fee"), [(10, 0), (9, 15_000), (7, 15_000), (6, 30_000), (3, 30_000), (2, 45_000), (1, 45_000)]
)
def test_the_fee_is_rounded_down_and_the_rest_is_refunded(days: int, fee: int) -> None:
    confirmed = replace(CONFIRMED, event_starts_at=NOW + timedelta(days=days))
    cancellation = cancel_for_buyer(confirmed, NOW, event_cancelled=False)
    assert (cancellation.reason, cancellation.fee) == (CancelReason.USER_REQUEST, fee)
    assert cancellation.fee + cancellation.refund_amount == confirmed.total_amount


def test_within_a_day_of_its_confirmation_a_reservation_is_cancelled_for_free() -> None:
    fresh = replace(CONFIRMED, confirmed_at=NOW - timedelta(hours=23))
    assert cancel_for_buyer(fresh, NOW, event_cancelled=False).refund_amount == fresh.total_amount


def test_a_confirmed_reservation_cannot_be_cancelled_on_the_day_of_the_event() -> None:
    today = replace(CONFIRMED, event_starts_at=NOW + timedelta(hours=6))
    with pytest.raises(NotCancellable):
        cancel_for_buyer(today, NOW, event_cancelled=False)


def test_after_a_reschedule_cancelling_is_free_until_the_event_starts() -> None:
    moved = replace(CONFIRMED, event_starts_at=NOW + timedelta(hours=6), rescheduled_at=NOW - timedelta(days=1))
    assert cancel_for_buyer(moved, NOW, event_cancelled=False).refund_amount == moved.total_amount
    with pytest.raises(NotCancellable):
        cancel_for_buyer(moved, moved.event_starts_at, event_cancelled=False)


def test_a_buyer_who_cancels_a_cancelled_event_gets_everything_back_on_any_day() -> None:
    today = replace(CONFIRMED, event_starts_at=NOW)
    everything = Cancellation(CancelReason.EVENT_CANCELLED, NOW, refund_amount=today.total_amount)
    assert cancel_for_buyer(today, NOW, event_cancelled=True) == everything
    assert cancel_for_event(today, NOW) == everything


def test_the_terms_are_what_a_cancellation_costs_until_they_change() -> None:
    starts_at = CONFIRMED.event_starts_at
    confirmed = replace(CONFIRMED, confirmed_at=starts_at - timedelta(days=12))
    moved = replace(confirmed, rescheduled_at=NOW)
    late = replace(confirmed, confirmed_at=starts_at - timedelta(days=1, hours=5))
    quarter = timedelta(minutes=15)
    changes = 0
    for reservation in (confirmed, late, moved):
        assert reservation.confirmed_at is not None
        at, changes_at = reservation.confirmed_at, None
        while (terms := cancellation_terms(reservation, at)) is not None:
            if terms.changes_at != changes_at:
                assert changes_at in (None, at)
                changes_at = terms.changes_at
                changes += 1
            cancelled = cancel_for_buyer(reservation, at, event_cancelled=False, expected_fee=terms.fee)
            assert (cancelled.refund_amount, cancelled.fee) == (terms.refund_amount, terms.fee)
            at += quarter
        assert at == changes_at
    # 0, 10, 20 and 30 percent, then nothing; free within a day, then nothing; free after a reschedule, then nothing.
    assert changes == 4 + 1 + 1


def test_only_a_confirmed_reservation_has_terms_of_cancellation() -> None:
    assert cancellation_terms(PENDING, NOW) is None
    assert cancellation_terms(CANCELLED, NOW) is None


def test_a_cancellation_at_another_fee_than_expected_is_rejected_with_the_terms_of_now() -> None:
    with pytest.raises(CancellationFeeChanged) as raised:
        cancel_for_buyer(CONFIRMED, NOW, event_cancelled=False, expected_fee=0)
    assert raised.value.details == {
        "refundAmount": 120_001,
        "fee": 30_000,
        "feePercent": 20,
        "changesAt": "2026-05-03T15:00:00.000Z",  # midnight in Korea, two days before the event
    }
    free = cancel_for_buyer(CONFIRMED, NOW, event_cancelled=True, expected_fee=30_000)
    assert free.refund_amount == CONFIRMED.total_amount


def test_a_cancelled_event_refunds_a_pending_reservation_only_if_a_payment_came() -> None:
    assert cancel_for_event(PENDING, NOW).refund_amount == 0
    paid = cancel_for_event(PENDING, NOW, PAYMENT)
    assert (paid.refund_amount, paid.payment_id) == (PENDING.total_amount, PAYMENT)


@pytest.mark.parametrize("reason", CancelReason)
def test_a_late_payment_is_refunded_in_full_and_the_reason_stays(reason: CancelReason) -> None:
    refund = refund_late_payment(replace(CANCELLED, cancel_reason=reason), NOW, PAYMENT)
    assert refund == Cancellation(reason, NOW, refund_amount=CANCELLED.total_amount, payment_id=PAYMENT)


@pytest.mark.parametrize(
    ("reservation", "can"),
    [
        (PENDING, True),
        (CONFIRMED, False),
        (replace(CANCELLED, cancel_reason=CancelReason.HOLD_TIMEOUT), True),
        (replace(CANCELLED, cancel_reason=CancelReason.PAYMENT_FAILED), True),
        (replace(CANCELLED, cancel_reason=CancelReason.USER_REQUEST), False),
        (replace(CANCELLED, cancel_reason=CancelReason.EVENT_CANCELLED), False),
    ],
)
def test_a_payment_confirms_a_pending_or_an_only_unpaid_reservation(reservation: Reservation, can: bool) -> None:
    assert reservation.can_be_confirmed is can


def test_a_hold_is_extended_for_a_payment_up_to_a_limit_and_never_shortened() -> None:
    assert PENDING.extended_hold(NOW) == PENDING.hold_expires_at
    soon = PENDING.hold_expires_at + timedelta(seconds=10)
    assert PENDING.extended_hold(soon) == soon
    assert PENDING.extended_hold(NOW + timedelta(hours=1)) == PENDING.hold_extendable_until
