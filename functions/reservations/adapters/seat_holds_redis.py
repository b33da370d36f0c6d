"""Seats held in Redis: the fast no. Postgres has the last word (`reservation_store`)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID

from common.stores import redis
from common.stores.redis import Client, Script

AT_ONCE = 1000  # keys in one command; ElastiCache Serverless takes 3,999 arguments
_LUA = Path(__file__).parent / "lua"


def _held_key(event_id: UUID) -> str:
    return f"hold_seats:{{{event_id}}}"


def _hold_key(event_id: UUID, seat_id: UUID) -> str:
    return f"seat:hold:{{{event_id}}}:{seat_id}"


class SeatHolds:
    """Every call is one round trip."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._hold = Script(_LUA / "hold_seats.lua")
        self._release = Script(_LUA / "release_seats.lua")

    def take(
        self, event_id: UUID, reservation_id: UUID, seat_ids: Sequence[UUID], life: timedelta, now: datetime
    ) -> list[UUID]:
        """Hold all the seats or none; the seats that others hold, empty when it worked."""
        if not seat_ids:
            return []
        keys = [_held_key(event_id), *(_hold_key(event_id, seat) for seat in seat_ids)]
        life_ms, now_ms = int(life.total_seconds() * 1000), int(now.timestamp() * 1000)
        taken = self._hold(self._redis, keys, [str(reservation_id), life_ms, now_ms, *map(str, seat_ids)])
        return [UUID(seat) for seat in taken]

    def release(self, event_id: UUID, reservation_id: UUID, seat_ids: Sequence[UUID]) -> None:
        if not seat_ids:
            return
        keys = [_held_key(event_id), *(_hold_key(event_id, seat) for seat in seat_ids)]
        self._release(self._redis, keys, [str(reservation_id), *map(str, seat_ids)])

    def held(self, event_id: UUID, now: datetime) -> set[UUID]:
        live = self._redis.zrangebyscore(_held_key(event_id), f"({now.timestamp() * 1000:.0f}", "+inf")
        return {UUID(str(seat)) for seat in live}

    def holders(self, event_id: UUID, now: datetime) -> dict[UUID, UUID | None]:
        """The held seats and the reservation that holds each; None where the hold itself is gone."""
        seats = sorted(self.held(event_id, now))
        holders: dict[UUID, UUID | None] = {}
        for at in range(0, len(seats), AT_ONCE):
            some = seats[at : at + AT_ONCE]
            found = self._redis.mget([_hold_key(event_id, seat) for seat in some])
            holders |= {seat: UUID(str(holder)) if holder else None for seat, holder in zip(some, found, strict=True)}
        return holders


@cache
def seat_holds() -> SeatHolds:
    return SeatHolds(redis.client())
