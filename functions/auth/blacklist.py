"""Access tokens that ended before their time, in Redis for as long as they would have lived (AUTH-010)."""

from common.redis import Client


def _key(token_id: str) -> str:
    return f"token:blacklist:{{{token_id}}}"


class Blacklist:
    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def add(self, token_id: str, seconds: int) -> None:
        self._redis.set(_key(token_id), "1", ex=seconds)

    def holds(self, token_id: str) -> bool:
        return bool(self._redis.exists(_key(token_id)))
