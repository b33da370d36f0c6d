"""Every quarter of an hour: published messages are kept for 7 days, those of dead letters and consumed ones for 30."""

from typing import Any

from common.runtime.log import log
from common.runtime.metrics import emit
from functions.outbox_relay.wiring import pruning

SPARE_SECONDS = 12.0  # more than the statement timeout: a batch that has begun always ends


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    deleted = pruning.prune_outbox().prune(lambda: context.get_remaining_time_in_millis() / 1000 > SPARE_SECONDS)
    log.info("pruned", extra=deleted)
    emit({"service": "outbox_relay"}, Pruned=sum(deleted.values()))
    return deleted
