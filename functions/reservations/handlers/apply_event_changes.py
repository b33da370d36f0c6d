"""Consumer of `event.events`: cancels or moves the reservations of an event that changed (EVT-028, EVT-029)."""

from typing import Any

from functions.reservations.wiring import consumers


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return consumers.event_changes()(event)
