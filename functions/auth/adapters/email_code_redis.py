"""Mailed codes in Redis (AUTH-022).

Five guesses a code and ten codes a day find one of a million in one case of 20,000, and mail nobody's address full.
"""

from pathlib import Path
from uuid import UUID

from common.domain.shared_errors import RateLimited
from common.stores.redis import Client, Script

_LUA = Path(__file__).parent / "lua"
GOOD_SECONDS = 600
PAUSE_SECONDS = 60
TRIES = 5
CODES_A_DAY = 10


def _keys(user_id: UUID) -> tuple[str, str, str]:
    return f"email:code:{{{user_id}}}", f"email:code:pause:{{{user_id}}}", f"email:code:count:{{{user_id}}}"


class EmailCodeStore:
    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._keep = Script(_LUA / "save_code.lua")
        self._try = Script(_LUA / "try_code.lua")

    def keep(self, user_id: UUID, code_hash: bytes) -> bool:
        """In place of any before it. False within a minute of the last. Raises RateLimited after ten in a day."""
        arguments: list[str | int] = [code_hash.hex(), GOOD_SECONDS, PAUSE_SECONDS, CODES_A_DAY]
        outcome, seconds = self._keep(self._redis, _keys(user_id), arguments)
        if outcome == "MANY":
            raise RateLimited(retry_after=seconds)
        return bool(outcome == "KEPT")

    def forget(self, user_id: UUID) -> None:
        """For a code that was not mailed: another may be asked for at once."""
        code, pause, count = _keys(user_id)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(code)
            pipeline.delete(pause)  # a cluster's pipeline deletes one at a time
            pipeline.decr(count)
            pipeline.execute()

    def matches(self, user_id: UUID, code_hash: bytes) -> bool:
        return bool(self._try(self._redis, _keys(user_id)[:1], [code_hash.hex(), TRIES]))

    def spend(self, user_id: UUID) -> None:
        self._redis.delete(_keys(user_id)[0])
