"""The payment tokens' checker, apart from the rest so that only who checks one loads a Redis client."""

from functools import cache

from common.stores import redis
from common.waitingroom.queue_tokens import QueueTokens


@cache
def queue_tokens() -> QueueTokens:
    return QueueTokens(redis.client())
