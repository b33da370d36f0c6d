"""Every hour: destroy the personal data of accounts withdrawn long ago, set apart those of dormant ones, and forget old
sign-ins and refresh tokens (AUTH-018, AUTH-019)."""

from datetime import timedelta
from functools import cache
from typing import Any

from common.domain.clock import utc_now
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.settings import Settings
from common.stores.postgres import database
from functions.auth.usecases.retirement import Retirement, RetirementTerms

SPARE_MS = 15_000  # no statement runs longer than 10 s (migration 0001)


class RetirementSettings(Settings):
    withdrawn_retention_days: int = 30
    dormant_after_days: int = 365


@cache
def retirement() -> Retirement:
    settings = RetirementSettings.from_environment()
    terms = RetirementTerms(
        withdrawn_kept=timedelta(days=settings.withdrawn_retention_days),
        dormant_after=timedelta(days=settings.dormant_after_days),
    )
    return Retirement(database(), utc_now, terms)


def handler(event: dict[str, Any], context: Any) -> None:
    for name, done in retirement().run(lambda: context.get_remaining_time_in_millis() > SPARE_MS):
        if done:
            log.info("retired", extra={"what": name, "count": done})
        emit({"service": "auth"}, **{name: done})
