"""Consumer of `payment.events`: confirms a reservation that was paid for, cancels one whose payment failed (RSV-004,
PAY-012)."""

from typing import Any

from functions.reservations.wiring import consumers


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return consumers.payment_outcomes()(event)
