"""Answers kept in Redis, aside from Postgres: one loads, the rest get the last one or wait (EVT-017, EVT-020, EVT-027).

Who finds nothing fresh takes a lease and loads; dropping a key drops its leases too, so what was read before a change
is never kept after it, and serves those alone who asked before it was read. A loader that dies is waited for until its
lease ends. Without Redis everybody loads: slower, not broken; a drop that is lost shows for the TTL at the most.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from common.domain.clock import Clock
from common.runtime.log import log
from common.stores.redis import REDIS_FAILURES, Client, Script
from functions.events.domain.freshness import Freshness

LEASE_SECONDS = 3.0
POLL_SECONDS = 0.02
REPLICA_LAG_SECONDS = 5.0  # for so long after a change it is read from the writer
KEEP_SECONDS = 600.0  # the key itself; every value in it ends before
AWAY_SECONDS = 5.0  # for so long after Redis failed us it is not asked
MOST_FIELDS = 2000

LIST_KEY = "cache:event:list"
_LUA = Path(__file__).parent / "lua"


def event_key(event_id: UUID) -> str:
    return f"cache:event:{{{event_id}}}"


def seats_key(event_id: UUID) -> str:
    return f"cache:seats:{{{event_id}}}"


def layout_key(event_id: UUID) -> str:
    return f"cache:seats:{{{event_id}}}:layout"


@dataclass(frozen=True)
class Kept:
    """An answer as it goes out: its entity tag, quotes and all, and its JSON."""

    tag: str
    json: str

    def __str__(self) -> str:
        return f"{self.tag}\n{self.json}"

    @classmethod
    def of(cls, text: str) -> "Kept":
        return cls(*text.split("\n", 1))


@dataclass(frozen=True)
class Loaded:
    kept: Kept
    freshness: Freshness


Load = Callable[[bool], Loaded]  # called with True when a replica may not know the newest state yet


class ReadCache:
    def __init__(
        self, connect: Callable[[], Client], clock: Clock, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._sleep = sleep
        self._away_until = 0.0  # monotonic
        self._read = Script(_LUA / "read_cached.lua")
        self._fill = Script(_LUA / "fill_cached.lua")
        self._drop = Script(_LUA / "drop_cached.lua")

    def get(self, key: str, field: str, load: Load) -> Kept:
        """The answer under `field` of `key`, loaded by `load` if need be. Raises what `load` raises."""
        token, since = uuid4().hex, self._now_ms()
        for _ in range(int((LEASE_SECONDS + 0.5) / POLL_SECONDS)):
            state, *found = self._ask(
                self._read,
                key,
                [field, now := self._now_ms(), token, int(LEASE_SECONDS * 1000), int(KEEP_SECONDS * 1000), since],
            ) or ("AWAY",)
            if state in ("HIT", "STALE"):
                return Kept.of(found[0])
            if state == "LOAD":
                return self._load(key, field, token, now, load, recent=found[0] == "1")
            if state == "AWAY":
                break
            self._sleep(POLL_SECONDS)
        return load(False).kept

    def _load(self, key: str, field: str, token: str, began_ms: int, load: Load, *, recent: bool) -> Kept:
        """Die here and the next one loads when the lease has ended."""
        text, fresh_until, usable_until = "", 0, 0
        try:
            loaded = load(recent)
            text = str(loaded.kept)
            fresh_until = int(loaded.freshness.fresh_until.timestamp() * 1000)
            usable_until = int(loaded.freshness.usable_until.timestamp() * 1000)
            return loaded.kept
        finally:
            times: list[str | int] = [fresh_until, usable_until, int(KEEP_SECONDS * 1000)]
            self._ask(self._fill, key, [field, token, text, *times, MOST_FIELDS, began_ms])

    def drop(self, *keys: str) -> None:
        """After a change has committed: nobody is shown what was before it, once this returns."""
        until = self._now_ms() + int(REPLICA_LAG_SECONDS * 1000)
        for key in keys:
            self._ask(self._drop, key, [until, int(REPLICA_LAG_SECONDS * 1000)])

    def _ask(self, script: Script, key: str, arguments: list[str | int]) -> Any:
        """The script's result; None while Redis is away, which is asked again after a while."""
        if time.monotonic() < self._away_until:
            return None
        try:
            return script(self._connect(), [key], arguments)
        except REDIS_FAILURES as error:
            log.warning("reading without a cache", extra={"error": type(error).__name__})
            self._away_until = time.monotonic() + AWAY_SECONDS
            return None

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)
