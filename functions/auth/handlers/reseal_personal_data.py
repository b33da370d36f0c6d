"""Every ten minutes: make a data key once the newest is old, and reseal everything under the newest (AUTH-020).

This schedule also makes the first key, so that no other function may: until its first run, registrations return 503. An
execution environment that does not know of a new key seals with the one before for five more minutes; the next run
reseals those values.
"""

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from common.domain.clock import utc_now
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.settings import Settings
from functions.auth.wiring.personal_data import data_keys
from functions.auth.wiring.resealing import resealing

SPARE_MS = 10_000  # a batch takes well under a second


class ResealSettings(Settings):
    data_key_days: int = 90


def handler(event: dict[str, Any], context: Any) -> None:
    settings = ResealSettings.from_environment()
    created_at = data_keys().renew(utc_now(), older_than=timedelta(days=settings.data_key_days))
    resealed = resealing().reseal(lambda: context.get_remaining_time_in_millis() > SPARE_MS)
    if resealed.rows:
        log.info("resealed", extra={"rows": resealed.rows, "left": resealed.left})
    emit(
        {"service": "auth"},
        RowsResealed=resealed.rows,
        RowsToReseal=resealed.left,
        SealsBroken=resealed.broken,
        DataKeyAge=(MetricUnit.Seconds, (utc_now() - created_at).total_seconds()),
    )
