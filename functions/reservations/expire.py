"""Every minute, for a minute: each second end the holds whose time is up (RSV-007).

Nothing depends on it for correctness: a hold past its end cannot be paid for, and whoever wants its seats ends it
himself (`reservation_store.add`). This makes it show within a second.
"""

from typing import Any

from common.log import log
from common.problem import store_away
from common.ticks import ticks
from functions.reservations.composition import booking


def handler(event: dict[str, Any], context: Any) -> None:
    for _ in ticks(context, 1.0):
        try:
            expired = booking().expire()
        except store_away():
            log.exception("a store is away; the next second tries again")
            continue
        if expired:
            log.info("holds expired", extra={"expired": expired})
