"""The waiting room's tokens. Apart from `purchases`, which loads Postgres."""

from functools import cache

from common.waitingroom.queue_tokens import QueueTokens
from common.wiring.redis_client import redis_client


@cache
def queue_tokens() -> QueueTokens:
    return QueueTokens(redis_client())
