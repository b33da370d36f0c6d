"""Started every minute, for two as a schedule may be a minute late: each second end the holds whose time is up
(RSV-007), and the reservations of events that were cancelled (EVT-028).

No hold depends on it for correctness: one past its end cannot be paid for, and whoever wants its seats ends it himself
(`reservation_store.add`). This makes it show within a second.
"""

import time
from typing import Any

from common.domain.shared_errors import StoreUnavailable
from common.runtime.log import log
from common.runtime.ticks import ticks
from functions.reservations.wiring.purchases import booking


def handler(event: dict[str, Any], context: Any) -> None:
    for tick in ticks(context, 1.0):
        try:
            expired = booking().expire()
            off = booking().cancel_for_events()
            # A batch after the other while there are any and the second lasts: holds are waiting to be ended, too.
            while off and time.time() < tick + 1:
                log.info("reservations of cancelled events ended", extra={"cancelled": off})
                off = booking().cancel_for_events()
        except StoreUnavailable:
            log.exception("a store is away; the next second tries again")
            continue
        if expired:
            log.info("holds expired", extra={"expired": expired})
