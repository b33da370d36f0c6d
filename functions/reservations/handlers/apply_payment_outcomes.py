"""Consumer of `payment.events`: confirms the reservation that was paid for, cancels the other (RSV-004, PAY-012)."""

from functools import cache
from typing import Any

from common.messaging.consumer import Consumer
from common.messaging.messages import PaymentFailed, PaymentSuccess
from common.stores.postgres import database
from functions.reservations.wiring.purchases import payment_outcome


@cache
def consumer() -> Consumer:
    outcome = payment_outcome()
    return Consumer("reservations", database(), {PaymentSuccess: outcome.paid, PaymentFailed: outcome.failed})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return consumer()(event)
