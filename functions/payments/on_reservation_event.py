"""Consumer of `reservation.events`: gives money back for a reservation that was cancelled after it was paid."""

from collections.abc import Callable
from functools import cache
from typing import Any

from common.consumer import Consumer
from common.messages import Envelope, ReservationCancelled
from common.postgres import Connection, database
from common.problem import NOT_FOUND
from functions.payments.composition import checkout, store


def refund(connection: Connection, message: Envelope, cancelled: ReservationCancelled) -> Callable[[], None] | None:
    """Write down that the money is owed; give it back right after, or settle will."""
    if cancelled.refund_amount == 0:
        return None
    owed = store().owe(
        connection, message.event_id, cancelled.reservation_id, cancelled.refund_amount, cancelled.reason
    )
    if not owed:
        raise NOT_FOUND.refusal()  # a dead letter: money asked back that never came
    return lambda: checkout().refund_now(message.event_id)


@cache
def consumer() -> Consumer:
    return Consumer("payments", database(), {ReservationCancelled: refund})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return consumer()(event)
