"""Every hour: destroy the personal data of accounts withdrawn long ago, set apart those of dormant accounts, and delete
old logins and refresh tokens (AUTH-018, AUTH-019)."""

from typing import Any

from common.runtime.log import log
from common.runtime.metrics import emit
from functions.auth.wiring.retirement import retirement

SPARE_MS = 15_000  # no statement runs longer than 10 s (migration 0001)


def handler(event: dict[str, Any], context: Any) -> None:
    for name, done in retirement().run(lambda: context.get_remaining_time_in_millis() > SPARE_MS):
        if done:
            log.info("retired", extra={"what": name, "count": done})
        emit({"service": "auth"}, **{name: done})
