"""Every minute, for two minutes: admit users on each second (QUEUE-005)."""

from typing import Any

from functions.admitter import wiring
from functions.admitter.domain.admission import QueueShare


def handler(event: dict[str, Any], context: Any) -> None:
    """`event` has a `share` if another run has split the queues."""
    wiring.admission_run().run(context, QueueShare(**event["share"]) if "share" in event else None)
