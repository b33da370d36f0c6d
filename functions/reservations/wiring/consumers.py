"""The consumers of messages."""

from functools import cache

from common.domain.clock import utc_now
from common.messaging.consumer import Consumer
from common.messaging.messages import EventCancelled, EventRescheduled, PaymentFailed, PaymentSuccess
from common.wiring.database import database
from functions.reservations.usecases.apply_event_changes import ApplyEventChanges
from functions.reservations.usecases.apply_payment_outcomes import ApplyPaymentOutcomes
from functions.reservations.wiring.purchases import confirm_paid, drop_hold, reservations


@cache
def event_changes() -> Consumer:
    apply = ApplyEventChanges(reservations(), utc_now)
    return Consumer("reservations", database(), {EventCancelled: apply.cancelled, EventRescheduled: apply.rescheduled})


@cache
def payment_outcomes() -> Consumer:
    apply = ApplyPaymentOutcomes(reservations(), confirm_paid(), drop_hold(), utc_now)
    return Consumer("reservations", database(), {PaymentSuccess: apply.paid, PaymentFailed: apply.failed})
