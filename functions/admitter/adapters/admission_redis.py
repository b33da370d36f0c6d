"""One tick of admission over every live line."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from common.domain.clock import microseconds
from common.runtime.log import log
from common.stores.redis import Client, Script, run_together
from common.waitingroom.queue_keys import (
    LIVE_LINES,
    WAITER_GRACE_SECONDS,
    admitted_key,
    clock_key,
    held_seats_key,
    let_in_key,
    line_key,
    sale_key,
    seen_key,
)
from common.waitingroom.queue_tokens import RESERVATION, new_secret, token_key, token_prefix

ATTEMPTS = 3  # calls for a head that keeps changing before leaving the rest to the next tick
TOGETHER = 200  # lines a round trip: Redis answers others between two
SHOWN = 1200  # candidates at most: three arguments each, and ElastiCache Serverless takes 3,999
DROPPED = 200  # waiters at most a line and tick: some 0.2 ms of Redis
LOOK_EVERY = timedelta(seconds=2)  # at a sale's terms, while people wait
KEPT_AFTER_CLOSE = timedelta(hours=1)  # so that who waited still learns why it ended


@dataclass(frozen=True)
class Policy:
    token_seconds: int = 600
    grace_seconds: int = WAITER_GRACE_SECONDS
    follow_seats: bool = False  # let nobody in while every seat that is not sold is held


@dataclass(frozen=True)
class Share:
    """The lines one invocation moves, of all: every line is in exactly one of `of` shares."""

    number: int = 0
    of: int = 1

    def __contains__(self, event_id: UUID) -> bool:
        return event_id.int % self.of == self.number


@dataclass(frozen=True)
class Moved:
    """What a tick did to one line."""

    event_id: UUID
    admitted: tuple[UUID, ...]  # in their order
    dropped: tuple[UUID, ...]
    waiting: int  # left
    terms_due: bool  # whoever asked is to ask the events service for the sale's terms


class Admission:
    """Admits by the clock of the Redis node that holds the line, read by the script itself: admitters on machines whose
    clocks differ agree on the second, and a message on its way for long is not of the second it was sent in.
    """

    def __init__(self, redis: Client, policy: Policy) -> None:
        self._redis = redis
        self._policy = policy
        self._admit = Script(Path(__file__).parent / "lua" / "admit_next.lua")
        self._next: dict[UUID, list[str]] = {}  # who heads each line, as of the last answer
        self._unfilled: set[UUID] = set()  # lines that could let in more in the second of the last answer

    def live(self, now: datetime) -> list[UUID]:
        return [UUID(str(line)) for line in self._redis.zrangebyscore(LIVE_LINES, now.timestamp(), "+inf")]

    def unfilled(self, lines: Iterable[UUID]) -> list[UUID]:
        """Those of `lines` in which somebody waits whom the last tick's second still had room for, but not yet."""
        return [event_id for event_id in lines if event_id in self._unfilled]

    def tick(self, lines: Iterable[UUID], now: datetime | None = None) -> list[Moved]:
        """Let in whom this second still has room for. Raises what Redis ended with when no line could be moved.

        Killed before a script nothing happened; killed after it the tokens are there, and the next poll of those users
        finds them. `now` stands for Redis's clock, in tests.
        """
        moved: list[Moved] = []
        failed: list[Exception] = []
        pending = list(lines)
        for _ in range(ATTEMPTS):
            again: list[UUID] = []
            for start in range(0, len(pending), TOGETHER):
                batch = pending[start : start + TOGETHER]
                answers = run_together(self._redis, [self._call(event_id, now) for event_id in batch])
                for event_id, answer in zip(batch, answers, strict=True):
                    if isinstance(answer, Exception):
                        failed.append(answer)
                        self._next.pop(event_id, None)
                        continue
                    moved.append(self._moved(event_id, answer))
                    if answer[2] == "1":
                        again.append(event_id)
            pending = again
            if not pending:
                break
        if failed:
            if not moved:
                raise failed[0]
            log.error("lines stand still", extra={"lines": len(failed), "error": repr(failed[0])})
        return moved

    def _moved(self, event_id: UUID, answer: list[Any]) -> Moved:
        admitted, dropped, _, ask, waiting, following, room = answer
        self._next[event_id] = following
        (self._unfilled.add if following and room > 0 else self._unfilled.discard)(event_id)
        return Moved(event_id, _users(admitted), _users(dropped), waiting, ask == "1")

    def _call(self, event_id: UUID, now: datetime | None) -> tuple[Script, list[str], list[str | int]]:
        keys = [
            *(line_key(event_id), sale_key(event_id), seen_key(event_id), admitted_key(event_id)),
            *(clock_key(event_id), held_seats_key(event_id), let_in_key(event_id)),
        ]
        arguments: list[str | int] = [
            "" if now is None else microseconds(now),
            self._policy.token_seconds * 1000,
            # What is noted of a waiter may lag a tenth behind (`read_status.lua`): never dropped too soon.
            self._policy.grace_seconds * 1_100_000,
            DROPPED,
            LOOK_EVERY // timedelta(microseconds=1),
            int(self._policy.follow_seats),
            SHOWN,
        ]
        for name in self._next.get(event_id, ()):
            user = UUID(name)
            keys.append(token_key(RESERVATION, event_id, user))
            arguments += [name, token_prefix(RESERVATION, event_id, user) + new_secret()]
        return self._admit, keys, arguments

    def forget_closed(self, now: datetime, most: int = 100) -> int:
        """Free what Redis keeps of lines whose sale is long over; how many."""
        until = (now - KEPT_AFTER_CLOSE).timestamp()
        closed = [UUID(str(line)) for line in self._redis.zrangebyscore(LIVE_LINES, "-inf", until, start=0, num=most)]
        for event_id in closed:
            self._redis.unlink(
                *(line_key(event_id), sale_key(event_id), seen_key(event_id), admitted_key(event_id)),
                *(clock_key(event_id), let_in_key(event_id)),
            )
            self._next.pop(event_id, None)
            self._unfilled.discard(event_id)
            # Last: die before it and the next run finds the line again.
            self._redis.zrem(LIVE_LINES, str(event_id))
        return len(closed)


def _users(names: list[str]) -> tuple[UUID, ...]:
    return tuple(UUID(name) for name in names)
