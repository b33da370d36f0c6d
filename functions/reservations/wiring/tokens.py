"""The waiting room's tokens. Apart from `purchases`, which loads Postgres."""

from functools import cache

from common.stores import redis
from common.waitingroom.queue_tokens import QueueTokens


@cache
def queue_tokens() -> QueueTokens:
    return QueueTokens(redis.client())
