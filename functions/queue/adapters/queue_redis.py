"""The queues in Redis: one script for each step, all keys of an event in one slot, one round trip for each call."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from common.contracts.sale_terms import SaleTermsResponse
from common.domain.clock import microseconds
from common.domain.ids import EventId, UserId
from common.stores.redis import Client, Script, run_together
from common.waitingroom.queue_keys import (
    LIVE_QUEUES,
    WAITER_GRACE_SECONDS,
    early_admissions_key,
    last_seen_key,
    live_tokens_key,
    membership_key,
    queue_key,
    sale_key,
)
from common.waitingroom.queue_tokens import RESERVATION, token_key
from common.waitingroom.sale_terms_writer import SaleTermsWriter
from functions.queue.adapters.queue_reply import parse_reply, parse_speed
from functions.queue.domain.place_receipt import PlaceReceipt
from functions.queue.domain.queue_membership import QueueMembership
from functions.queue.domain.queue_stats import QueueStats, ServingPosition
from functions.queue.domain.queue_status import QueueStatus, Rejected

MEMBERSHIP_SECONDS = 24 * 3600
RETURN_PERIOD = timedelta(seconds=10)  # two polls: until then no user is admitted after Redis lost a queue

_LUA = Path(__file__).parent / "lua"


class QueueRedis:
    """`grace`: how long a user may go without a poll. The place is kept that long, and at most a tenth longer."""

    def __init__(self, redis: Client, grace: timedelta = timedelta(seconds=WAITER_GRACE_SECONDS)) -> None:
        self._redis = redis
        self._grace = grace
        self._terms = SaleTermsWriter(redis)
        self._enter = Script(_LUA / "enter_queue.lua")
        self._read = Script(_LUA / "read_status.lua")
        self._leave = Script(_LUA / "leave_queue.lua")
        self._stats = Script(_LUA / "read_stats.lua")
        self._serving = Script(_LUA / "read_serving_position.lua")
        self._take_membership = Script(_LUA / "take_membership.lua")
        self._release_membership = Script(_LUA / "release_membership.lua")

    def enter(
        self, event_id: EventId, user_id: UserId, now: datetime, receipt: PlaceReceipt | None, *, accept_stale: bool
    ) -> tuple[QueueMembership, QueueStatus | Rejected | None]:
        """Takes the membership and the place, in two slots: the two are not atomic together.

        The status is None if the sale terms are not known or, unless `accept_stale`, no longer fresh.
        """
        at = microseconds(now)
        keys = [*self._user_keys(event_id, user_id), early_admissions_key(event_id)]
        arguments: list[str | int] = [str(user_id), at, int(accept_stale), _us(self._grace), _us(RETURN_PERIOD)]
        if receipt is not None:
            old = receipt.position
            arguments += [old.place, old.front, old.birth, receipt.signed_at]
        membership_arguments: list[str | int] = [str(event_id), at, "", MEMBERSHIP_SECONDS]
        membership, status = _raise_first(
            run_together(
                self._redis,
                [
                    (self._take_membership, [membership_key(user_id)], membership_arguments),
                    (self._enter, keys, arguments),
                ],
            )
        )
        return _membership(membership), parse_reply(status)

    def read_status(self, event_id: EventId, user_id: UserId, now: datetime) -> QueueStatus | Rejected | None:
        """None if the user has no place. Counts as a poll."""
        arguments: list[str | int] = [str(user_id), microseconds(now), _us(self._grace) // 10]
        return parse_reply(self._read(self._redis, self._user_keys(event_id, user_id), arguments))

    def leave(self, event_id: EventId, user_id: UserId) -> None:
        """Gives up the place, the reservation token and the membership."""
        _raise_first(
            run_together(self._redis, [self._leave_call(event_id, user_id), self._release_call(user_id, str(event_id))])
        )

    def give_up_place(self, event_id: EventId, user_id: UserId) -> None:
        """As `leave`, but the membership stays."""
        _raise_first(run_together(self._redis, [self._leave_call(event_id, user_id)]))

    def release_membership(self, user_id: UserId, membership: QueueMembership) -> None:
        """Removes this membership, but not one that replaced it."""
        _raise_first(run_together(self._redis, [self._release_call(user_id, _stored(membership))]))

    def replace_membership(
        self, user_id: UserId, event_id: EventId, now: datetime, replaces: QueueMembership
    ) -> QueueMembership:
        """The membership afterwards: for `event_id`, or for another event if it is no longer the one we saw."""
        arguments: list[str | int] = [str(event_id), microseconds(now), _stored(replaces), MEMBERSHIP_SECONDS]
        return _membership(self._take_membership(self._redis, [membership_key(user_id)], arguments))

    def write_sale_terms(self, terms: SaleTermsResponse, now: datetime) -> None:
        self._terms.write(terms, now)

    def extend_terms_until(self, event_id: EventId, until: datetime) -> None:
        """Count the known sale terms as fresh until then."""
        self._redis.hset(sale_key(event_id), "fresh_until", str(microseconds(until)))

    def live_queues(self, now: datetime) -> list[EventId]:
        """The events whose sale is not over."""
        return [EventId(UUID(str(event))) for event in self._redis.zrangebyscore(LIVE_QUEUES, now.timestamp(), "+inf")]

    def stats(self, event_ids: list[EventId], now: datetime) -> list[QueueStats]:
        now_ms = microseconds(now) // 1000
        keys = [[queue_key(each), sale_key(each), live_tokens_key(each)] for each in event_ids]
        calls = [(self._stats, each, [now_ms]) for each in keys]
        replies = _raise_first(run_together(self._redis, calls)) if calls else []
        return [_queue_stats(each, reply, now) for each, reply in zip(event_ids, replies, strict=True)]

    def update_settings(self, event_id: EventId, admission_per_second: int | None, paused: bool | None) -> None:
        """None leaves a setting as it is."""
        changed: dict[str, int] = {}
        if admission_per_second is not None:
            changed["rate"] = admission_per_second
        if paused is not None:
            changed["paused"] = int(paused)
        if changed:
            self._redis.hset(sale_key(event_id), mapping=changed)  # type: ignore[arg-type]

    def serving_position(self, event_id: EventId, now: datetime) -> ServingPosition | None:
        """None if the sale terms are not known."""
        reply = self._serving(self._redis, [queue_key(event_id), sale_key(event_id)], [microseconds(now)])
        if reply[0] == "UNKNOWN":
            return None
        state, front, admitted, waiting, rate, pace = reply
        return ServingPosition(state, int(front), int(admitted), waiting, parse_speed(rate, pace, ""))

    @staticmethod
    def _user_keys(event_id: EventId, user_id: UserId) -> list[str]:
        token = token_key(RESERVATION, event_id, user_id)
        return [queue_key(event_id), sale_key(event_id), last_seen_key(event_id), token]

    def _leave_call(self, event_id: EventId, user_id: UserId) -> tuple[Script, list[str], list[str | int]]:
        *keys, token = self._user_keys(event_id, user_id)
        return self._leave, [*keys, live_tokens_key(event_id), token], [str(user_id)]

    def _release_call(self, user_id: UserId, membership: str) -> tuple[Script, list[str], list[str | int]]:
        return self._release_membership, [membership_key(user_id)], [membership]


def _raise_first(results: list[Any]) -> list[Any]:
    """The results of several scripts. Raises the first error among them."""
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def _us(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


def _stored(membership: QueueMembership) -> str:
    return f"{membership.event_id} {membership.since}"


def _membership(result: list[str]) -> QueueMembership:
    current, replaced = result
    event, since = current.split(" ")
    return QueueMembership(EventId(UUID(event)), int(since), int(replaced.split(" ")[1]) if replaced else None)


def _queue_stats(event_id: EventId, reply: list[Any], now: datetime) -> QueueStats:
    waiting, admitted, active, rate, paused, first, capacity = reply
    waited = timedelta(microseconds=max(0, microseconds(now) - int(float(first)))) if first else timedelta()
    return QueueStats(event_id, waiting, admitted, active, rate, paused == "1", waited, capacity)
