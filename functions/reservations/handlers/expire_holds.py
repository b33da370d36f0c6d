"""Schedule: each second, cancel reservations whose hold has expired (RSV-007) or whose event is cancelled (EVT-028).

Started every minute, it runs for two, as a schedule may be a minute late. Correctness does not depend on it: an expired
hold cannot be paid for, and another buyer's hold of its seats cancels it (`ConflictResolution`). It makes the expiry
visible within a second.
"""

import time
from typing import Any

from common.domain.shared_errors import StoreUnavailable
from common.runtime.log import log
from common.runtime.ticks import ticks
from functions.reservations.wiring import purchases


def handler(event: dict[str, Any], context: Any) -> None:
    for tick in ticks(context, 1.0):
        try:
            expired = purchases.expire_holds().expire()
            cancelled = purchases.cancel_event_reservations().cancel_batch()
            # One batch after another, but only during this second: expired holds wait, too.
            while cancelled and time.time() < tick + 1:
                log.info("reservations of cancelled events cancelled", extra={"cancelled": cancelled})
                cancelled = purchases.cancel_event_reservations().cancel_batch()
        except StoreUnavailable:
            log.exception("store unavailable; retry in the next second")
            continue
        if expired:
            log.info("holds expired", extra={"expired": expired})
