"""Held seats in Redis: rejects most conflicts fast. Postgres decides (`reservation_repository`)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from common.domain.ids import EventId, ReservationId, SeatId
from common.stores.redis import Client, Script

AT_ONCE = 1000  # keys in one command; ElastiCache Serverless takes 3,999 arguments
_LUA = Path(__file__).parent / "lua"


def _held_key(event_id: EventId) -> str:
    return f"hold_seats:{{{event_id}}}"


def _hold_key(event_id: EventId, seat_id: SeatId) -> str:
    return f"seat:hold:{{{event_id}}}:{seat_id}"


class SeatHolds:
    """Every call is one round trip."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._hold = Script(_LUA / "hold_seats.lua")
        self._release = Script(_LUA / "release_seats.lua")

    def take(
        self,
        event_id: EventId,
        reservation_id: ReservationId,
        seat_ids: Sequence[SeatId],
        life: timedelta,
        now: datetime,
    ) -> list[SeatId]:
        """Hold all the seats or none. Returns the seats that other reservations hold; empty when it worked."""
        if not seat_ids:
            return []
        keys = [_held_key(event_id), *(_hold_key(event_id, seat) for seat in seat_ids)]
        life_ms, now_ms = int(life.total_seconds() * 1000), int(now.timestamp() * 1000)
        taken = self._hold(self._redis, keys, [str(reservation_id), life_ms, now_ms, *map(str, seat_ids)])
        return [SeatId(UUID(seat)) for seat in taken]

    def release(self, event_id: EventId, reservation_id: ReservationId, seat_ids: Sequence[SeatId]) -> None:
        """Release the seats that this reservation holds; those of other reservations stay held."""
        if not seat_ids:
            return
        keys = [_held_key(event_id), *(_hold_key(event_id, seat) for seat in seat_ids)]
        self._release(self._redis, keys, [str(reservation_id), *map(str, seat_ids)])

    def held(self, event_id: EventId, now: datetime) -> set[SeatId]:
        """The seats of an event that are held at `now`."""
        live = self._redis.zrangebyscore(_held_key(event_id), f"({now.timestamp() * 1000:.0f}", "+inf")
        return {SeatId(UUID(str(seat))) for seat in live}

    def holders(self, event_id: EventId, now: datetime) -> dict[SeatId, ReservationId | None]:
        """The held seats and the reservation that holds each; None where the key of the hold has expired."""
        seats = sorted(self.held(event_id, now))
        holders: dict[SeatId, ReservationId | None] = {}
        for at in range(0, len(seats), AT_ONCE):
            some = seats[at : at + AT_ONCE]
            found = self._redis.mget([_hold_key(event_id, seat) for seat in some])
            holders |= {
                seat: ReservationId(UUID(str(holder))) if holder else None
                for seat, holder in zip(some, found, strict=True)
            }
        return holders
