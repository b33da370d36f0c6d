"""Delete what is past its retention, in batches so small that no statement waits for them."""

from collections.abc import Callable

from functions.outbox_relay.adapters.retention_repository import RetentionRepository
from functions.outbox_relay.domain.retention import RETENTION_RULES

BATCH = 1_000


class PruneOutbox:
    """Each batch is one transaction: if the process crashes here, the next run deletes what is left."""

    def __init__(self, repository: RetentionRepository, batch: int = BATCH) -> None:
        self._repository = repository
        self._batch = batch

    def prune(self, may_go_on: Callable[[], bool]) -> dict[str, int]:
        """Delete table by table while `may_go_on` says yes, asked before each batch. Returns the counts by table."""
        deleted = dict.fromkeys((rule.table for rule in RETENTION_RULES), 0)
        for rule in RETENTION_RULES:
            while may_go_on():
                count = self._repository.delete_batch(rule, self._batch)
                deleted[rule.table] += count
                if count < self._batch:
                    break
        return deleted
