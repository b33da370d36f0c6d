"""Responses cached in Redis: one request loads, the others get the last response or wait (EVT-017, EVT-020, EVT-027).

A request that finds no fresh response takes a lease and loads it. Dropping a key drops its leases too, so a response
read before a change is never cached after it; it serves only requests that arrived before it was read. If a loading
process crashes, others wait until its lease ends. While Redis is unavailable every request loads. If a drop is lost,
the old response is shown for its TTL at most.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from common.domain.clock import Clock
from common.domain.ids import EventId
from common.runtime.log import log
from common.stores.redis import REDIS_FAILURES, Client, Script
from functions.events.domain.freshness import Freshness

LEASE_SECONDS = 3.0
POLL_SECONDS = 0.02
REPLICA_LAG_SECONDS = 5.0  # after a change, loads read from the writer for this long
KEY_SECONDS = 600.0  # TTL of the key; every value in it ends earlier
BYPASS_SECONDS = 5.0  # after Redis failed, it is not called for this long
MAX_FIELDS = 2000

LIST_KEY = "cache:event:list"
_LUA = Path(__file__).parent / "lua"


def event_key(event_id: EventId) -> str:
    return f"cache:event:{{{event_id}}}"


def seats_key(event_id: EventId) -> str:
    return f"cache:seats:{{{event_id}}}"


def layout_key(event_id: EventId) -> str:
    return f"cache:seats:{{{event_id}}}:layout"


@dataclass(frozen=True)
class CachedResponse:
    """A response as it is sent: its entity tag, with the quotes, and its JSON."""

    etag: str
    json: str

    def __str__(self) -> str:
        return f"{self.etag}\n{self.json}"

    @classmethod
    def parse(cls, text: str) -> "CachedResponse":
        return cls(*text.split("\n", 1))


@dataclass(frozen=True)
class LoadResult:
    response: CachedResponse
    freshness: Freshness


Load = Callable[[bool], LoadResult]  # called with True when a replica may not have the latest change yet


class ReadCache:
    def __init__(
        self, connect: Callable[[], Client], clock: Clock, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._sleep = sleep
        self._bypass_until = 0.0  # monotonic
        self._read = Script(_LUA / "read_cached.lua")
        self._fill = Script(_LUA / "fill_cached.lua")
        self._drop = Script(_LUA / "drop_cached.lua")

    def get(self, key: str, field: str, load: Load) -> CachedResponse:
        """The response in `field` of `key`, loaded by `load` if necessary. Raises what `load` raises."""
        token, since = uuid4().hex, self._now_ms()
        for _ in range(int((LEASE_SECONDS + 0.5) / POLL_SECONDS)):
            state, *found = self._run(
                self._read,
                key,
                [field, now := self._now_ms(), token, int(LEASE_SECONDS * 1000), int(KEY_SECONDS * 1000), since],
            ) or ("UNAVAILABLE",)
            if state in ("HIT", "STALE"):
                return CachedResponse.parse(found[0])
            if state == "LOAD":
                return self._load(key, field, token, now, load, recent=found[0] == "1")
            if state == "UNAVAILABLE":
                break
            self._sleep(POLL_SECONDS)
        return load(False).response

    def _load(self, key: str, field: str, token: str, began_ms: int, load: Load, *, recent: bool) -> CachedResponse:
        """If the process crashes here, the next request loads when the lease has ended."""
        text, fresh_until, usable_until = "", 0, 0
        try:
            loaded = load(recent)
            text = str(loaded.response)
            fresh_until = int(loaded.freshness.fresh_until.timestamp() * 1000)
            usable_until = int(loaded.freshness.usable_until.timestamp() * 1000)
            return loaded.response
        finally:
            times: list[str | int] = [fresh_until, usable_until, int(KEY_SECONDS * 1000)]
            self._run(self._fill, key, [field, token, text, *times, MAX_FIELDS, began_ms])

    def drop(self, *keys: str) -> None:
        """Call after a change has committed: once this returns, no request is shown the state before it."""
        until = self._now_ms() + int(REPLICA_LAG_SECONDS * 1000)
        for key in keys:
            self._run(self._drop, key, [until, int(REPLICA_LAG_SECONDS * 1000)])

    def _run(self, script: Script, key: str, arguments: list[str | int]) -> Any:
        """The script's result; None while Redis is unavailable."""
        if time.monotonic() < self._bypass_until:
            return None
        try:
            return script(self._connect(), [key], arguments)
        except REDIS_FAILURES as error:
            log.warning("reading without a cache", extra={"error": type(error).__name__})
            self._bypass_until = time.monotonic() + BYPASS_SECONDS
            return None

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)
