"""Every minute, for a minute: on each second let the next ten of every line in (QUEUE-005)."""

from functools import cache
from typing import Any

from common import redis
from common.log import log
from common.metrics import emit
from common.problem import store_away
from common.settings import Settings
from common.ticks import ticks
from functions.admitter.admission import Admission


class AdmitterSettings(Settings):
    reservation_token_seconds: int = 600


@cache
def admission() -> Admission:
    return Admission(redis.client(), AdmitterSettings.from_environment().reservation_token_seconds)


def handler(event: dict[str, Any], context: Any) -> None:
    for _ in ticks(context, 1.0):
        try:
            tick = admission().tick()
        except store_away():
            log.exception("Redis is away; this second admits nobody")
            continue
        if tick.admitted:
            log.info("admitted", extra={"lines": tick.lines, "admitted": tick.admitted})
            emit({"service": "admitter"}, Admitted=tick.admitted)
