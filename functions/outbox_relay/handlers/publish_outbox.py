"""Starts every minute, for two: keeps the outbox empty (RSV-012, PAY-013).

In its first minute a relay works. In its second it is on standby and looks twice a second, while the next one works. So
two run at any time, and when one is killed the other has its shards within a second: they share nothing but locks, and
those are released when their holder crashes. During a peak the one on standby works, too.

It polls and does not LISTEN: LISTEN pins RDS Proxy's connection, and NOTIFY locks the whole database.
"""

from typing import Any

from functions.outbox_relay.usecases.relay_loop import run
from functions.outbox_relay.wiring import publishing

SPARE_SECONDS = 12.0  # more than a pass takes with a broker that answers as late as it may


def handler(event: dict[str, Any], context: Any) -> None:
    run(publishing.relay(), lambda: context.get_remaining_time_in_millis() / 1000 > SPARE_SECONDS)
