"""Notes the events that triggers send."""

from typing import Any

from witness import note


def handler(event: dict[str, Any], context: object) -> None:
    """Under the key the schedule gives, else under the name of the source."""
    note(event.get("key", "kafka"), event)
