"""Every quarter of an hour: published messages are kept 7 days, those of dead letters and what was consumed 30."""

from functools import cache
from typing import Any

from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores.postgres import database
from functions.outbox_relay.usecases.retention import Retention

SPARE_SECONDS = 12.0  # more than the statement timeout: a batch under way always ends


@cache
def retention() -> Retention:
    """Here rather than in `composition`, which loads Kafka's client."""
    return Retention(database())


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deleted = retention().prune(lambda: context.get_remaining_time_in_millis() / 1000 > SPARE_SECONDS)
    log.info("pruned", extra=deleted)
    emit({"service": "outbox_relay"}, Pruned=sum(deleted.values()))
    return deleted
