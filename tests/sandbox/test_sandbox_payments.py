"""The state machine of a payment, without HTTP."""

from datetime import UTC, datetime

import pytest

from local.sandbox import payments
from local.sandbox.payments import ErrorType, Payment, PaymentRejected, Status, WebhookType

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)


def registered(amount: int = 150_000) -> Payment:
    return payments.pre_register(None, "p", amount, NOW)


def authorized(amount: int | None = None) -> Payment:
    return payments.authorize(registered(), amount, "tx", "token", NOW)[0]


def paid() -> Payment:
    return payments.pay(registered(), None, "tx", NOW)[0]


def announced(transition: payments.Transition) -> list[WebhookType]:
    return [change.webhook_type for change in transition[1]]


def error_type(act: object, *arguments: object, **named: object) -> ErrorType:
    assert callable(act)
    with pytest.raises(PaymentRejected) as refused:
        act(*arguments, **named)
    return refused.value.error_type


def test_an_authorization_takes_no_money() -> None:
    payment, changes = payments.authorize(registered(), None, "tx", "token", NOW)
    assert (payment.status, payment.paid_amount, payment.cancellable_amount) == (Status.READY, 0, 0)
    assert announced((payment, changes)) == [WebhookType.READY]


def test_a_confirm_takes_exactly_the_authorized_amount() -> None:
    payment, changes = payments.confirm(authorized(), "token", NOW, total_amount=150_000, transaction_id="tx")
    assert (payment.status, payment.paid_amount, payment.paid_at) == (Status.PAID, 150_000, NOW)
    assert announced((payment, changes)) == [WebhookType.PAID]


def test_a_second_confirm_is_rejected_as_already_paid() -> None:
    payment, _ = payments.confirm(authorized(), "token", NOW)
    assert error_type(payments.confirm, payment, "token", NOW) is ErrorType.ALREADY_PAID


def test_a_confirm_with_anything_that_does_not_match_takes_nothing() -> None:
    payment = authorized()
    assert error_type(payments.confirm, payment, "forged", NOW) is ErrorType.INVALID_PAYMENT_TOKEN
    assert error_type(payments.confirm, payment, "token", NOW, total_amount=1) is ErrorType.INFORMATION_MISMATCH
    assert error_type(payments.confirm, payment, "token", NOW, transaction_id="other") is ErrorType.INFORMATION_MISMATCH


def test_a_token_is_invalid_once_the_buyer_starts_again() -> None:
    again, _ = payments.authorize(authorized(), None, "tx2", "token2", NOW)
    assert error_type(payments.confirm, again, "token", NOW) is ErrorType.INVALID_PAYMENT_TOKEN
    assert payments.confirm(again, "token2", NOW)[0].status is Status.PAID


def test_an_authorization_that_failed_is_rejected_by_the_card_company_at_confirm() -> None:
    payment, changes = payments.fail(authorized(), None, "unused", NOW)
    assert announced((payment, changes)) == [WebhookType.FAILED]
    assert error_type(payments.confirm, payment, "token", NOW) is ErrorType.PG_PROVIDER


def test_a_pre_registration_alone_cannot_be_confirmed_or_cancelled() -> None:
    assert error_type(payments.confirm, registered(), "token", NOW) is ErrorType.PAYMENT_NOT_FOUND
    assert error_type(payments.cancel, registered(), "c", "why", NOW) is ErrorType.PAYMENT_NOT_FOUND


def test_paying_announces_the_opened_window_and_then_the_payment() -> None:
    assert announced(payments.pay(registered(), None, "tx", NOW)) == [WebhookType.READY, WebhookType.PAID]


def test_an_explicit_amount_replaces_the_pre_registered_one() -> None:
    assert payments.pay(registered(150_000), 1_000, "tx", NOW)[0].paid_amount == 1_000


def test_a_buyer_may_try_again_after_a_failure() -> None:
    failed, changes = payments.fail(registered(), None, "tx", NOW)
    assert (failed.status, announced((failed, changes))) == (Status.FAILED, [WebhookType.READY, WebhookType.FAILED])
    again, _ = payments.pay(failed, None, "tx2", NOW)
    assert (again.status, again.failed_at, again.paid_amount) == (Status.PAID, None, 150_000)


def test_no_payment_is_paid_twice_even_after_a_full_refund() -> None:
    cancelled, _ = payments.cancel(paid(), "c", "why", NOW)
    for payment in (paid(), cancelled):
        assert error_type(payments.pay, payment, None, "tx2", NOW) is ErrorType.ALREADY_PAID
        assert error_type(payments.authorize, payment, None, "tx2", "token2", NOW) is ErrorType.ALREADY_PAID
        assert error_type(payments.fail, payment, None, "tx2", NOW) is ErrorType.ALREADY_PAID
        assert error_type(payments.pre_register, payment, "p", 1, NOW) is ErrorType.ALREADY_PAID


def test_partial_cancellations_add_up_and_the_last_one_completes_them() -> None:
    part, changes = payments.cancel(paid(), "c1", "why", NOW, amount=50_000, current_cancellable_amount=150_000)
    assert (part.status, part.cancelled_amount, part.cancellable_amount) == (Status.PARTIAL_CANCELLED, 50_000, 100_000)
    assert announced((part, changes)) == [WebhookType.PARTIAL_CANCELLED]
    whole, changes = payments.cancel(part, "c2", "why", NOW)
    assert (whole.status, whole.cancelled_amount, whole.paid_amount) == (Status.CANCELLED, 150_000, 150_000)
    assert [(change.webhook_type, change.cancellation_id) for change in changes] == [(WebhookType.CANCELLED, "c2")]


def test_a_cancellation_is_rejected_for_each_of_portones_reasons() -> None:
    broken = ErrorType.CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN
    assert error_type(payments.cancel, paid(), "c", "why", NOW, current_cancellable_amount=1) is broken
    exceeds = ErrorType.CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT
    assert error_type(payments.cancel, paid(), "c", "why", NOW, amount=150_001) is exceeds
    assert error_type(payments.cancel, authorized(), "c", "why", NOW) is ErrorType.PAYMENT_NOT_PAID
    cancelled, _ = payments.cancel(paid(), "c", "why", NOW)
    assert error_type(payments.cancel, cancelled, "c2", "why", NOW) is ErrorType.PAYMENT_ALREADY_CANCELLED
