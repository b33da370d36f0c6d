"""What prunes the outbox, without Kafka's client."""

from functools import cache

from common.wiring.database import database
from functions.outbox_relay.adapters.retention_repository import RetentionRepository
from functions.outbox_relay.usecases.prune_outbox import PruneOutbox


@cache
def prune_outbox() -> PruneOutbox:
    return PruneOutbox(RetentionRepository(database()))
