"""Consumer of `reservation.events`: gives money back for a reservation that was cancelled after it was paid."""

from collections.abc import Callable
from functools import cache
from typing import Any

from common.domain.shared_errors import NotFound
from common.messaging.consumer import Consumer
from common.messaging.messages import Envelope, ReservationCancelled
from common.stores.postgres import Connection, database
from functions.payments.adapters.payment_repository import PaymentStore, payment_store
from functions.payments.usecases.checkout import Checkout
from functions.payments.wiring.checkout import checkout


class MoneyBack:
    def __init__(self, store: PaymentStore, checkout: Checkout) -> None:
        self._store = store
        self._checkout = checkout

    def owe(
        self, connection: Connection, message: Envelope, cancelled: ReservationCancelled
    ) -> Callable[[], None] | None:
        """Write down that the money is owed; give it back right after, or settle will."""
        if cancelled.refund_amount == 0:
            return None
        owed = self._store.owe(
            connection, message.event_id, cancelled.reservation_id, cancelled.refund_amount, cancelled.reason
        )
        if not owed:
            raise NotFound()  # a dead letter: money asked back that never came
        return lambda: self._checkout.refund_now(message.event_id)


@cache
def consumer() -> Consumer:
    return Consumer("payments", database(), {ReservationCancelled: MoneyBack(payment_store(), checkout()).owe})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return consumer()(event)
