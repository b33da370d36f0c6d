"""The line in Redis: one script a step, all of an event's keys in one slot."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from common.queue_tokens import RESERVATION, token_key
from common.redis import Client, Script
from common.waiting_line import LIVE_LINES, active_key, admitted_key, line_key, sale_key
from functions.queue.waiting_room import Admitted, Claim, LineStats, Place, SaleTerms, Turned, Waiting

TERMS_FRESH = timedelta(seconds=30)  # how long a change of an event's sale may take to reach its line
CLAIM_SECONDS = 24 * 3600

_LUA = Path(__file__).parent / "lua"


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


class LineStore:
    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._enter = Script(_LUA / "enter_line.lua")
        self._read = Script(_LUA / "read_place.lua")
        self._leave = Script(_LUA / "leave_line.lua")
        self._learn = Script(_LUA / "learn_terms.lua")
        self._stats = Script(_LUA / "read_stats.lua")
        self._claim = Script(_LUA / "claim_user.lua")
        self._release = Script(_LUA / "release_user.lua")

    def enter(self, event_id: UUID, user_id: UUID, now: datetime, *, accept_stale: bool) -> Place | Turned | None:
        keys = [line_key(event_id), sale_key(event_id), token_key(RESERVATION, event_id, user_id)]
        result = self._enter(self._redis, keys, [str(user_id), _microseconds(now), "1" if accept_stale else "0"])
        if result[0] == "UNKNOWN":
            return None
        return _place(result) or Turned(result[0])

    def place(self, event_id: UUID, user_id: UUID) -> Place | None:
        keys = [line_key(event_id), sale_key(event_id), token_key(RESERVATION, event_id, user_id)]
        return _place(self._read(self._redis, keys, [str(user_id)]))

    def leave(self, event_id: UUID, user_id: UUID) -> None:
        keys = [line_key(event_id), admitted_key(event_id), token_key(RESERVATION, event_id, user_id)]
        self._leave(self._redis, keys, [str(user_id)])

    def learn(self, terms: SaleTerms, now: datetime) -> None:
        # First the list the admitter walks: a line that takes users but is on no list would never move.
        self._redis.zadd(LIVE_LINES, {str(terms.event_id): terms.closes_at.timestamp()})
        self._learn(
            self._redis,
            [sale_key(terms.event_id)],
            [
                _microseconds(terms.opens_at),
                _microseconds(terms.closes_at),
                terms.capacity,
                terms.admission_per_second,
                int(terms.sold_out),
                _microseconds(now + TERMS_FRESH),
            ],
        )

    def live(self, now: datetime) -> list[UUID]:
        return [UUID(str(event)) for event in self._redis.zrangebyscore(LIVE_LINES, now.timestamp(), "+inf")]

    def stats(self, event_id: UUID, now: datetime) -> LineStats:
        keys = [line_key(event_id), sale_key(event_id), admitted_key(event_id)]
        found = self._stats(self._redis, keys, [int(now.timestamp() * 1000)])
        waiting, admitted, active, rate, paused, first, capacity = found
        waited = timedelta(microseconds=max(0, _microseconds(now) - int(float(first)))) if first else timedelta()
        return LineStats(event_id, waiting, admitted, active, rate, paused == "1", waited, capacity)

    def steer(self, event_id: UUID, admission_per_second: int | None, paused: bool | None) -> None:
        changed: dict[str, int] = {}
        if admission_per_second is not None:
            changed["rate"] = admission_per_second
        if paused is not None:
            changed["paused"] = int(paused)
        if changed:
            self._redis.hset(sale_key(event_id), mapping=changed)  # type: ignore[arg-type]

    def claim(self, user_id: UUID, event_id: UUID, now: datetime, instead_of: Claim | None = None) -> Claim:
        """The claim that holds after this: ours, or an older one on another event."""
        stale = f"{instead_of.event_id} {instead_of.at_ms}" if instead_of else ""
        now_ms = _microseconds(now) // 1000
        held = self._claim(self._redis, [active_key(user_id)], [str(event_id), now_ms, stale, CLAIM_SECONDS])
        event, at_ms = held.split(" ")
        return Claim(UUID(event), int(at_ms))

    def release(self, user_id: UUID, event_id: UUID) -> None:
        self._release(self._redis, [active_key(user_id)], [str(event_id)])


def _place(result: list[Any]) -> Place | None:
    if result[0] == "ADMITTED":
        return Admitted(result[1], timedelta(milliseconds=int(result[2])))
    if result[0] == "WAITING":
        return Waiting(int(result[1]), int(result[2] or 1))
    return None
