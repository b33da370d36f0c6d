"""One tick of admission over every live line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from common.queue_tokens import RESERVATION, new_secret, token_key, token_prefix
from common.redis import Client, Script
from common.waiting_line import LIVE_LINES, admitted_key, line_key, sale_key

ATTEMPTS = 3  # looks at a head that keeps changing before leaving the rest to the next tick
SPARE = 20  # candidates beyond the rate, for those who leave between the look and the script


@dataclass(frozen=True)
class Tick:
    second: int  # epoch, by Redis's clock
    lines: int
    admitted: int


class Admission:
    """Admits by the clock of Redis, so that admitters on machines whose clocks differ agree on the second."""

    def __init__(self, redis: Client, token_seconds: int) -> None:
        self._redis = redis
        self._token_seconds = token_seconds
        self._admit = Script(Path(__file__).parent / "lua" / "admit_next.lua")

    def tick(self) -> Tick:
        seconds, microseconds = self._redis.time()
        now_ms = seconds * 1000 + microseconds // 1000
        lines: list[Any] = self._redis.zrangebyscore(LIVE_LINES, seconds, "+inf")
        return Tick(seconds, len(lines), sum(self._advance(UUID(line), now_ms) for line in lines))

    def _advance(self, event_id: UUID, now_ms: int) -> int:
        """Let in whom this second still has room for.

        Killed before the script nothing happened; killed after it the tokens are there and the next poll of those
        users finds them.
        """
        admitted = 0
        for _ in range(ATTEMPTS):
            rate = int(self._redis.hget(sale_key(event_id), "rate") or 0)
            users = [UUID(str(user)) for user in self._redis.zrange(line_key(event_id), 0, rate + SPARE - 1)]
            if not rate or not users:
                return admitted
            now_in, look_again = self._admit_first(event_id, users, now_ms)
            admitted += now_in
            if not look_again:
                return admitted
        return admitted

    def _admit_first(self, event_id: UUID, users: list[UUID], now_ms: int) -> tuple[int, bool]:
        keys = [line_key(event_id), sale_key(event_id), admitted_key(event_id)]
        life_ms = self._token_seconds * 1000
        arguments: list[str | int] = [now_ms // 1000, life_ms, now_ms + life_ms]
        for user in users:
            keys.append(token_key(RESERVATION, event_id, user))
            arguments += [str(user), token_prefix(RESERVATION, event_id, user) + new_secret()]
        now_in, look_again = self._admit(self._redis, keys, arguments)
        return int(now_in), look_again == "1"
