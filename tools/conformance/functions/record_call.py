"""Reports the events that triggers send."""

from typing import Any

from recorder_client import note


def handler(event: dict[str, Any], context: object) -> None:
    """Under the key the schedule gives, else under the name of the source."""
    note(event.get("key", "kafka"), event)
