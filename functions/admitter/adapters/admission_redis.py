"""Admission in Redis: one tick over every live queue."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from common.domain.clock import microseconds
from common.domain.ids import EventId, UserId
from common.runtime.log import log
from common.stores.redis import Client, Script, run_together
from common.waitingroom.queue_keys import (
    LIVE_QUEUES,
    clock_key,
    early_admissions_key,
    held_seats_key,
    last_seen_key,
    live_tokens_key,
    queue_key,
    sale_key,
)
from common.waitingroom.queue_tokens import RESERVATION, new_secret, token_key, token_prefix
from functions.admitter.domain.admission import AdmissionPolicy, QueueMove

ATTEMPTS = 3  # calls for a queue whose first users keep changing; the next tick does the rest
QUEUES_A_ROUND_TRIP = 200  # between two round trips Redis answers other clients
MOST_CANDIDATES = 1200  # each is three arguments, and ElastiCache Serverless accepts 3,999
MOST_DROPPED = 200  # users a queue and tick: about 0.2 ms of Redis
REFRESH_TERMS_EVERY = timedelta(seconds=2)  # while users wait
KEPT_AFTER_CLOSE = timedelta(hours=1)  # so that users who wait still learn why the queue ended


class AdmissionRedis:
    """Admits by the clock of the Redis node that holds the queue, which the script reads itself. So admitters whose
    clocks differ agree on the second, and a delayed message counts for the second in which it arrives.
    """

    def __init__(self, redis: Client, policy: AdmissionPolicy) -> None:
        self._redis = redis
        self._policy = policy
        self._admit = Script(Path(__file__).parent / "lua" / "admit_next.lua")
        self._next: dict[EventId, list[str]] = {}  # the first users of each queue, as of the last reply
        self._unfilled: set[EventId] = set()  # queues that could admit more in the second of the last reply

    def live_queues(self, now: datetime) -> list[EventId]:
        """The events whose sale is not over."""
        return [_event_id(event) for event in self._redis.zrangebyscore(LIVE_QUEUES, now.timestamp(), "+inf")]

    def unfilled(self, queues: Iterable[EventId]) -> list[EventId]:
        """Those of `queues` whose last tick left both waiting users and room for them in its second."""
        return [event_id for event_id in queues if event_id in self._unfilled]

    def tick(self, queues: Iterable[EventId], now: datetime | None = None) -> list[QueueMove]:
        """Admit as many users as this second has room for. Raises Redis's error if no queue could be moved.

        If the process crashes before a script, nothing has happened; if it crashes after it, the tokens exist and the
        users' next polls find them. `now` replaces Redis's clock in tests.
        """
        moves: list[QueueMove] = []
        failed: list[Exception] = []
        pending = list(queues)
        for _ in range(ATTEMPTS):
            again: list[EventId] = []
            for start in range(0, len(pending), QUEUES_A_ROUND_TRIP):
                batch = pending[start : start + QUEUES_A_ROUND_TRIP]
                replies = run_together(self._redis, [self._call(event_id, now) for event_id in batch])
                for event_id, reply in zip(batch, replies, strict=True):
                    if isinstance(reply, Exception):
                        failed.append(reply)
                        self._next.pop(event_id, None)
                        continue
                    moves.append(self._move(event_id, reply))
                    if reply[2] == "1":
                        again.append(event_id)
            pending = again
            if not pending:
                break
        if failed:
            if not moves:
                raise failed[0]
            log.error("queues stand still", extra={"queues": len(failed), "error": repr(failed[0])})
        return moves

    def _move(self, event_id: EventId, reply: list[Any]) -> QueueMove:
        admitted, dropped, _, terms_due, waiting, following, room = reply
        self._next[event_id] = following
        (self._unfilled.add if following and room > 0 else self._unfilled.discard)(event_id)
        return QueueMove(event_id, _user_ids(admitted), _user_ids(dropped), waiting, terms_due == "1")

    def _call(self, event_id: EventId, now: datetime | None) -> tuple[Script, list[str], list[str | int]]:
        keys = [
            *(queue_key(event_id), sale_key(event_id), last_seen_key(event_id), live_tokens_key(event_id)),
            *(clock_key(event_id), held_seats_key(event_id), early_admissions_key(event_id)),
        ]
        arguments: list[str | int] = [
            "" if now is None else microseconds(now),
            self._policy.token_seconds * 1000,
            # The recorded time of a poll may be a tenth of the grace behind (`read_status.lua`): never drop too soon.
            self._policy.grace_seconds * 1_100_000,
            MOST_DROPPED,
            REFRESH_TERMS_EVERY // timedelta(microseconds=1),
            int(self._policy.follow_seats),
            MOST_CANDIDATES,
        ]
        for name in self._next.get(event_id, ()):
            user_id = _user_id(name)
            keys.append(token_key(RESERVATION, event_id, user_id))
            arguments += [name, token_prefix(RESERVATION, event_id, user_id) + new_secret()]
        return self._admit, keys, arguments

    def delete_closed_queues(self, now: datetime, most: int = 100) -> int:
        """Delete the keys of queues whose sale is long over, and return how many there were."""
        until = (now - KEPT_AFTER_CLOSE).timestamp()
        closed = [
            _event_id(event) for event in self._redis.zrangebyscore(LIVE_QUEUES, "-inf", until, start=0, num=most)
        ]
        for event_id in closed:
            self._redis.unlink(
                *(queue_key(event_id), sale_key(event_id), last_seen_key(event_id), live_tokens_key(event_id)),
                *(clock_key(event_id), early_admissions_key(event_id)),
            )
            self._next.pop(event_id, None)
            self._unfilled.discard(event_id)
            # Last: if the process crashes before this, the next run finds the queue again.
            self._redis.zrem(LIVE_QUEUES, str(event_id))
        return len(closed)


def _event_id(name: Any) -> EventId:
    return EventId(UUID(str(name)))


def _user_id(name: str) -> UserId:
    return UserId(UUID(name))


def _user_ids(names: list[str]) -> tuple[UserId, ...]:
    return tuple(map(_user_id, names))
