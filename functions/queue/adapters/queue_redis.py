"""The lines in Redis: one script a step, all of an event's keys in one slot, one round trip a call."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from common.contracts.sale_terms import SaleTermsAnswer
from common.domain.clock import microseconds
from common.stores.redis import Client, Script, run_together
from common.waitingroom.queue_keys import (
    LIVE_LINES,
    WAITER_GRACE_SECONDS,
    SaleTermsLearner,
    active_key,
    admitted_key,
    let_in_key,
    line_key,
    sale_key,
    seen_key,
)
from common.waitingroom.queue_tokens import RESERVATION, token_key
from functions.queue.domain.place_receipt import Standing, Ticket
from functions.queue.usecases.enter_queue import (
    SLOWEST_PACE,
    Admitted,
    Claim,
    LineStats,
    Place,
    Serving,
    Speed,
    Turned,
    Waiting,
)

CLAIM_SECONDS = 24 * 3600
GATHER = timedelta(seconds=10)  # two polls: until then nobody is let in after Redis forgot a line

_LUA = Path(__file__).parent / "lua"


class LineStore:
    """`grace`: how long a waiter may go unseen. His place is kept that long, and at most a tenth longer."""

    def __init__(self, redis: Client, grace: timedelta = timedelta(seconds=WAITER_GRACE_SECONDS)) -> None:
        self._redis = redis
        self._grace = grace
        self._terms = SaleTermsLearner(redis)
        self._enter = Script(_LUA / "enter_queue.lua")
        self._read = Script(_LUA / "read_status.lua")
        self._leave = Script(_LUA / "leave_queue.lua")
        self._stats = Script(_LUA / "read_stats.lua")
        self._serving = Script(_LUA / "read_serving_position.lua")
        self._claim = Script(_LUA / "take_membership.lua")
        self._release = Script(_LUA / "release_membership.lua")

    def enter(
        self, event_id: UUID, user_id: UUID, now: datetime, ticket: Ticket | None, *, accept_stale: bool
    ) -> tuple[Claim, Place | Turned | None]:
        at = microseconds(now)
        keys = [*self._places(event_id, user_id), let_in_key(event_id)]
        arguments: list[str | int] = [str(user_id), at, int(accept_stale), _span(self._grace), _span(GATHER)]
        if ticket is not None:
            was = ticket.standing
            arguments += [was.place, was.front, was.birth, ticket.signed_at]
        claiming: list[str | int] = [str(event_id), at, "", CLAIM_SECONDS]
        claim, place = _answers(
            run_together(
                self._redis,
                [(self._claim, [active_key(user_id)], claiming), (self._enter, keys, arguments)],
            )
        )
        return _claim(claim), _place(place)

    def place(self, event_id: UUID, user_id: UUID, now: datetime) -> Place | Turned | None:
        arguments: list[str | int] = [str(user_id), microseconds(now), _span(self._grace) // 10]
        return _place(self._read(self._redis, self._places(event_id, user_id), arguments))

    def leave(self, event_id: UUID, user_id: UUID) -> None:
        _answers(run_together(self._redis, [self._leaving(event_id, user_id), self._releasing(user_id, str(event_id))]))

    def undo(self, event_id: UUID, user_id: UUID) -> None:
        _answers(run_together(self._redis, [self._leaving(event_id, user_id)]))

    def release(self, user_id: UUID, claim: Claim) -> None:
        _answers(run_together(self._redis, [self._releasing(user_id, f"{claim.event_id} {claim.at}")]))

    def claim(self, user_id: UUID, event_id: UUID, now: datetime, instead_of: Claim) -> Claim:
        """The claim that holds after this: ours, or one on another event that is not the one we saw."""
        stale = f"{instead_of.event_id} {instead_of.at}"
        arguments: list[str | int] = [str(event_id), microseconds(now), stale, CLAIM_SECONDS]
        return _claim(self._claim(self._redis, [active_key(user_id)], arguments))

    def learn(self, terms: SaleTermsAnswer, now: datetime) -> None:
        self._terms.learn(terms, now)

    def trust(self, event_id: UUID, until: datetime) -> None:
        self._redis.hset(sale_key(event_id), "fresh_until", str(microseconds(until)))

    def live(self, now: datetime) -> list[UUID]:
        return [UUID(str(event)) for event in self._redis.zrangebyscore(LIVE_LINES, now.timestamp(), "+inf")]

    def stats(self, event_ids: list[UUID], now: datetime) -> list[LineStats]:
        now_ms = microseconds(now) // 1000
        calls = [(self._stats, [line_key(each), sale_key(each), admitted_key(each)], [now_ms]) for each in event_ids]
        answers = _answers(run_together(self._redis, calls)) if calls else []
        return [_stats(each, found, now) for each, found in zip(event_ids, answers, strict=True)]

    def steer(self, event_id: UUID, admission_per_second: int | None, paused: bool | None) -> None:
        changed: dict[str, int] = {}
        if admission_per_second is not None:
            changed["rate"] = admission_per_second
        if paused is not None:
            changed["paused"] = int(paused)
        if changed:
            self._redis.hset(sale_key(event_id), mapping=changed)  # type: ignore[arg-type]

    def serving(self, event_id: UUID, now: datetime) -> Serving | None:
        found = self._serving(self._redis, [line_key(event_id), sale_key(event_id)], [microseconds(now)])
        if found[0] == "UNKNOWN":
            return None
        state, front, admitted, waiting, rate, pace = found
        return Serving(state, int(front), int(admitted), waiting, _speed(rate, pace, ""))

    @staticmethod
    def _places(event_id: UUID, user_id: UUID) -> list[str]:
        token = token_key(RESERVATION, event_id, user_id)
        return [line_key(event_id), sale_key(event_id), seen_key(event_id), token]

    def _leaving(self, event_id: UUID, user_id: UUID) -> tuple[Script, list[str], list[str | int]]:
        *places, token = self._places(event_id, user_id)
        return self._leave, [*places, admitted_key(event_id), token], [str(user_id)]

    def _releasing(self, user_id: UUID, claim: str) -> tuple[Script, list[str], list[str | int]]:
        return self._release, [active_key(user_id)], [claim]


def _answers(results: list[Any]) -> list[Any]:
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def _span(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


def _claim(result: list[str]) -> Claim:
    held, replaced = result
    event, at = held.split(" ")
    return Claim(UUID(event), int(at), int(replaced.split(" ")[1]) if replaced else None)


def _place(result: list[Any]) -> Place | Turned | None:
    if result[0] == "WAITING":
        _, ahead, place, front, birth, rate, pace, churn, seats, how = result
        standing = Standing(int(place), int(front), int(birth))
        return Waiting(ahead, standing, _speed(rate, pace, churn), int(seats) if seats else None, how)
    if result[0] == "ADMITTED":
        return Admitted(result[1], timedelta(milliseconds=int(result[2])))
    if result[0] in ("UNKNOWN", "ABSENT"):
        return None
    return Turned(result[0], in_line=result[1] == "1")


def _speed(rate: str, pace: str, churn: str) -> Speed:
    return Speed(int(rate) * max(float(pace or 1), SLOWEST_PACE), float(churn or 0))


def _stats(event_id: UUID, found: list[Any], now: datetime) -> LineStats:
    waiting, admitted, active, rate, paused, first, capacity = found
    waited = timedelta(microseconds=max(0, microseconds(now) - int(float(first)))) if first else timedelta()
    return LineStats(event_id, waiting, admitted, active, rate, paused == "1", waited, capacity)
