"""Consumer of reservation.events: a confirmed reservation's seats become SOLD, a cancelled one's free (EVT-016)."""

from typing import Any

from functions.events.wiring import seat_sales


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return seat_sales.seat_sales_consumer()(event)
