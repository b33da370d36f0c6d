"""Consumer of `reservation.events`: makes the refund of a reservation that was paid, ends an unpaid payment."""

from typing import Any

from functions.payments.wiring import settlement


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return settlement.refund_consumer()(event)
