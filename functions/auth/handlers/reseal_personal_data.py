"""Every ten minutes: a new data key once the newest is old, and everything sealed under it (AUTH-020).

It makes the first key too, so that nobody else may: until its first run registrations are answered 503. A container
that has not heard of a new key seals with the one before for five minutes more; the next run takes what it left.
"""

from datetime import timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from common.domain.clock import utc_now
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.settings import Settings
from common.stores.postgres import database
from functions.auth.usecases.resealing import SealedTables
from functions.auth.wiring.personal_data import data_keys, vault

SPARE_MS = 10_000  # a batch takes well under a second


class ResealSettings(Settings):
    data_key_days: int = 90


@cache
def sealed_tables() -> SealedTables:
    return SealedTables(database(), vault())


def handler(event: dict[str, Any], context: Any) -> None:
    settings = ResealSettings.from_environment()
    made = data_keys().renew(utc_now(), older_than=timedelta(days=settings.data_key_days))
    resealed = sealed_tables().reseal(lambda: context.get_remaining_time_in_millis() > SPARE_MS)
    if resealed.rows:
        log.info("resealed", extra={"rows": resealed.rows, "left": resealed.left})
    emit(
        {"service": "auth"},
        RowsResealed=resealed.rows,
        RowsToReseal=resealed.left,
        SealsBroken=resealed.broken,
        DataKeyAge=(MetricUnit.Seconds, (utc_now() - made).total_seconds()),
    )
