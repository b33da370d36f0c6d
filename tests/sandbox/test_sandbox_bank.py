"""The state machine of a payment, without HTTP."""

from datetime import UTC, datetime

import pytest

from local.sandbox import bank
from local.sandbox.bank import Announcement, Payment, Refusal, Refused, Status

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)


def registered(amount: int = 150_000) -> Payment:
    return bank.pre_register(None, "p", amount, NOW)


def authorized(amount: int | None = None) -> Payment:
    return bank.authorize(registered(), amount, "tx", "token", NOW)[0]


def paid() -> Payment:
    return bank.pay(registered(), None, "tx", NOW)[0]


def announced(transition: bank.Transition) -> list[Announcement]:
    return [change.announcement for change in transition[1]]


def refusal(act: object, *arguments: object, **named: object) -> Refusal:
    assert callable(act)
    with pytest.raises(Refused) as refused:
        act(*arguments, **named)
    return refused.value.refusal


def test_an_authorization_takes_no_money() -> None:
    payment, changes = bank.authorize(registered(), None, "tx", "token", NOW)
    assert (payment.status, payment.paid_amount, payment.cancellable_amount) == (Status.READY, 0, 0)
    assert announced((payment, changes)) == [Announcement.READY]


def test_a_confirm_takes_exactly_the_authorized_amount() -> None:
    payment, changes = bank.confirm(authorized(), "token", NOW, total_amount=150_000, transaction_id="tx")
    assert (payment.status, payment.paid_amount, payment.paid_at) == (Status.PAID, 150_000, NOW)
    assert announced((payment, changes)) == [Announcement.PAID]


def test_a_second_confirm_is_rejected_as_already_paid() -> None:
    payment, _ = bank.confirm(authorized(), "token", NOW)
    assert refusal(bank.confirm, payment, "token", NOW) is Refusal.ALREADY_PAID


def test_a_confirm_with_anything_that_does_not_match_takes_nothing() -> None:
    payment = authorized()
    assert refusal(bank.confirm, payment, "forged", NOW) is Refusal.INVALID_PAYMENT_TOKEN
    assert refusal(bank.confirm, payment, "token", NOW, total_amount=1) is Refusal.INFORMATION_MISMATCH
    assert refusal(bank.confirm, payment, "token", NOW, transaction_id="other") is Refusal.INFORMATION_MISMATCH


def test_a_token_is_invalid_once_the_buyer_starts_again() -> None:
    again, _ = bank.authorize(authorized(), None, "tx2", "token2", NOW)
    assert refusal(bank.confirm, again, "token", NOW) is Refusal.INVALID_PAYMENT_TOKEN
    assert bank.confirm(again, "token2", NOW)[0].status is Status.PAID


def test_an_authorization_that_failed_is_rejected_by_the_card_company_at_confirm() -> None:
    payment, changes = bank.fail(authorized(), None, "unused", NOW)
    assert announced((payment, changes)) == [Announcement.FAILED]
    assert refusal(bank.confirm, payment, "token", NOW) is Refusal.PG_PROVIDER


def test_a_pre_registration_alone_cannot_be_confirmed_or_cancelled() -> None:
    assert refusal(bank.confirm, registered(), "token", NOW) is Refusal.PAYMENT_NOT_FOUND
    assert refusal(bank.cancel, registered(), "c", "why", NOW) is Refusal.PAYMENT_NOT_FOUND


def test_paying_announces_the_opened_window_and_then_the_payment() -> None:
    assert announced(bank.pay(registered(), None, "tx", NOW)) == [Announcement.READY, Announcement.PAID]


def test_an_explicit_amount_replaces_the_pre_registered_one() -> None:
    assert bank.pay(registered(150_000), 1_000, "tx", NOW)[0].paid_amount == 1_000


def test_a_buyer_may_try_again_after_a_failure() -> None:
    failed, changes = bank.fail(registered(), None, "tx", NOW)
    assert (failed.status, announced((failed, changes))) == (Status.FAILED, [Announcement.READY, Announcement.FAILED])
    again, _ = bank.pay(failed, None, "tx2", NOW)
    assert (again.status, again.failed_at, again.paid_amount) == (Status.PAID, None, 150_000)


def test_no_payment_is_paid_twice_even_after_a_full_refund() -> None:
    cancelled, _ = bank.cancel(paid(), "c", "why", NOW)
    for payment in (paid(), cancelled):
        assert refusal(bank.pay, payment, None, "tx2", NOW) is Refusal.ALREADY_PAID
        assert refusal(bank.authorize, payment, None, "tx2", "token2", NOW) is Refusal.ALREADY_PAID
        assert refusal(bank.fail, payment, None, "tx2", NOW) is Refusal.ALREADY_PAID
        assert refusal(bank.pre_register, payment, "p", 1, NOW) is Refusal.ALREADY_PAID


def test_partial_cancellations_add_up_and_the_last_one_completes_them() -> None:
    part, changes = bank.cancel(paid(), "c1", "why", NOW, amount=50_000, current_cancellable_amount=150_000)
    assert (part.status, part.cancelled_amount, part.cancellable_amount) == (Status.PARTIAL_CANCELLED, 50_000, 100_000)
    assert announced((part, changes)) == [Announcement.PARTIAL_CANCELLED]
    whole, changes = bank.cancel(part, "c2", "why", NOW)
    assert (whole.status, whole.cancelled_amount, whole.paid_amount) == (Status.CANCELLED, 150_000, 150_000)
    assert [(change.announcement, change.cancellation_id) for change in changes] == [(Announcement.CANCELLED, "c2")]


def test_a_cancellation_is_rejected_for_each_of_portones_reasons() -> None:
    broken = Refusal.CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN
    assert refusal(bank.cancel, paid(), "c", "why", NOW, current_cancellable_amount=1) is broken
    exceeds = Refusal.CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT
    assert refusal(bank.cancel, paid(), "c", "why", NOW, amount=150_001) is exceeds
    assert refusal(bank.cancel, authorized(), "c", "why", NOW) is Refusal.PAYMENT_NOT_PAID
    cancelled, _ = bank.cancel(paid(), "c", "why", NOW)
    assert refusal(bank.cancel, cancelled, "c2", "why", NOW) is Refusal.PAYMENT_ALREADY_CANCELLED
