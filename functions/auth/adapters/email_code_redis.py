"""E-mail codes in Redis (AUTH-022)."""

from pathlib import Path

from common.domain.ids import UserId
from common.domain.shared_errors import RateLimited
from common.stores.redis import Client, Script
from functions.auth.domain.email_code import CODES_A_DAY, PAUSE_SECONDS, TRIES, VALID_SECONDS

_LUA = Path(__file__).parent / "lua"


def _keys(user_id: UserId) -> tuple[str, str, str]:
    return f"email:code:{{{user_id}}}", f"email:code:pause:{{{user_id}}}", f"email:code:count:{{{user_id}}}"


class EmailCodes:
    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._save = Script(_LUA / "save_code.lua")
        self._try = Script(_LUA / "try_code.lua")

    def save(self, user_id: UserId, code_hash: bytes) -> bool:
        """Replace the user's code. False within a minute of the last one. Raises RateLimited after ten in a day."""
        arguments: list[str | int] = [code_hash.hex(), VALID_SECONDS, PAUSE_SECONDS, CODES_A_DAY]
        outcome, seconds = self._save(self._redis, _keys(user_id), arguments)
        if outcome == "TOO_MANY":
            raise RateLimited(retry_after=seconds)
        return bool(outcome == "SAVED")

    def forget(self, user_id: UserId) -> None:
        """Delete a code that was not mailed, so that the user can request another at once."""
        code, pause, count = _keys(user_id)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(code)
            pipeline.delete(pause)  # in a cluster, a pipeline deletes one key at a time
            pipeline.decr(count)
            pipeline.execute()

    def matches(self, user_id: UserId, code_hash: bytes) -> bool:
        return bool(self._try(self._redis, _keys(user_id)[:1], [code_hash.hex(), TRIES]))

    def spend(self, user_id: UserId) -> None:
        self._redis.delete(_keys(user_id)[0])
