"""The waiting room's rules: who may stand in line, where, and what they are told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol
from uuid import UUID

from common.clock import Clock
from common.problem import SERVICE_UNAVAILABLE, Refusal
from functions.queue.problems import (
    ALREADY_WAITING,
    NOT_IN_QUEUE,
    QUEUE_FULL,
    SALE_CLOSED,
    SALE_NOT_OPEN,
    SOLD_OUT,
)

POLL_SECONDS = 5
# Longer than any `enter` may run: a claim this old whose user is in no line belongs to one that died.
CLAIM_GRACE = timedelta(seconds=30)


@dataclass(frozen=True)
class SaleTerms:
    """What the waiting room must know of an event's sale."""

    event_id: UUID
    opens_at: datetime
    closes_at: datetime
    capacity: int  # users waiting at once
    admission_per_second: int
    sold_out: bool


@dataclass(frozen=True)
class LineStats:
    """An event's line, for those who run the sale (QUEUE-012)."""

    event_id: UUID
    waiting: int
    admitted: int  # since the sale began
    active_tokens: int
    admission_per_second: int
    paused: bool
    oldest_wait: timedelta
    capacity: int


@dataclass(frozen=True)
class Waiting:
    ahead: int  # users before this one
    per_second: int

    @property
    def estimated_seconds(self) -> int:
        return max(1, ceil(self.ahead / self.per_second))


@dataclass(frozen=True)
class Admitted:
    token: str
    left: timedelta


Place = Waiting | Admitted


class Line(Protocol):
    """An event's line. `enter` answers None when it does not know the sale's terms, or knows only stale ones."""

    def enter(self, event_id: UUID, user_id: UUID, now: datetime, *, accept_stale: bool) -> "Place | Turned | None": ...
    def place(self, event_id: UUID, user_id: UUID) -> Place | None: ...
    def leave(self, event_id: UUID, user_id: UUID) -> None: ...
    def learn(self, terms: SaleTerms, now: datetime) -> None: ...
    def claim(self, user_id: UUID, event_id: UUID, now: datetime, instead_of: "Claim | None" = None) -> "Claim": ...
    def release(self, user_id: UUID, event_id: UUID) -> None: ...
    def stats(self, event_id: UUID, now: datetime) -> LineStats: ...
    def live(self, now: datetime) -> list[UUID]: ...
    def steer(self, event_id: UUID, admission_per_second: int | None, paused: bool | None) -> None: ...


@dataclass(frozen=True)
class Claim:
    """Which event's line a user is in, or was about to enter."""

    event_id: UUID
    at_ms: int  # epoch


@dataclass(frozen=True)
class Turned:
    """Why the line did not take a user: NOT_OPEN, CLOSED, SOLD_OUT or FULL."""

    away: str


class Sales(Protocol):
    def terms(self, event_id: UUID) -> SaleTerms:
        """Refuses NOT_FOUND for an event there is none of, SERVICE_UNAVAILABLE when nobody answers."""


REFUSALS = {"NOT_OPEN": SALE_NOT_OPEN, "CLOSED": SALE_CLOSED, "SOLD_OUT": SOLD_OUT, "FULL": QUEUE_FULL}


class WaitingRoom:
    def __init__(self, line: Line, sales: Sales, clock: Clock) -> None:
        self._line = line
        self._sales = sales
        self._clock = clock

    def enter(self, event_id: UUID, user_id: UUID) -> Place:
        """Take a place, or learn the one already held (QUEUE-001).

        The claim on the user and the place in line are in two slots, so not atomic together: the claim comes first
        and is undone when the line refuses. Die in between and the claim names a line the user is not in, which an
        `enter` elsewhere notices, and takes over after CLAIM_GRACE.
        """
        self._claim(user_id, event_id)
        try:
            place = self._enter(event_id, user_id)
        except Refusal:
            # Only when no place was taken. After a lost answer the user may be in line, and the claim says so.
            self._line.release(user_id, event_id)
            raise
        if isinstance(place, Turned):
            self._line.release(user_id, event_id)
            headers = {"Retry-After": str(POLL_SECONDS)} if place.away == "FULL" else {}
            raise REFUSALS[place.away].refusal(headers=headers)
        return place

    def _claim(self, user_id: UUID, event_id: UUID) -> None:
        now = self._clock()
        held = self._line.claim(user_id, event_id, now)
        if held.event_id == event_id:
            return
        place = self._line.place(held.event_id, user_id)
        # In no line and young: that `enter` may still be on its way, and to take over would put the user in both.
        under_way = place is None and now < datetime.fromtimestamp(held.at_ms / 1000, now.tzinfo) + CLAIM_GRACE
        if isinstance(place, Waiting) or under_way:
            raise ALREADY_WAITING.refusal(eventId=str(held.event_id))
        held = self._line.claim(user_id, event_id, now, instead_of=held)
        if held.event_id != event_id:
            raise ALREADY_WAITING.refusal(eventId=str(held.event_id))

    def _enter(self, event_id: UUID, user_id: UUID) -> Place | Turned:
        now = self._clock()
        place = self._line.enter(event_id, user_id, now, accept_stale=False)
        if place is not None:
            return place
        try:
            self._line.learn(self._sales.terms(event_id), now)
        except Refusal as refusal:
            if refusal.problem.code != SERVICE_UNAVAILABLE.code:
                raise
            # With the events service away, yesterday's terms are better than a closed door.
            place = self._line.enter(event_id, user_id, now, accept_stale=True)
            if place is None:
                raise
            return place
        place = self._line.enter(event_id, user_id, now, accept_stale=True)
        if place is None:  # Redis lost the terms within this millisecond
            raise SERVICE_UNAVAILABLE.refusal()
        return place

    def status(self, event_id: UUID, user_id: UUID) -> Place:
        place = self._line.place(event_id, user_id)
        if place is None:
            raise NOT_IN_QUEUE.refusal()
        return place

    def leave(self, event_id: UUID, user_id: UUID) -> None:
        self._line.leave(event_id, user_id)
        self._line.release(user_id, event_id)

    def stats(self, event_id: UUID | None) -> list[LineStats]:
        """Of one event's line, or of all whose sale is not over."""
        now = self._clock()
        if event_id is not None:
            self._line.learn(self._sales.terms(event_id), now)
        return [self._line.stats(each, now) for each in ([event_id] if event_id else self._line.live(now))]

    def steer(self, event_id: UUID, admission_per_second: int | None, paused: bool | None) -> LineStats:
        """Change a line's rate, or pause it; in force from the next second."""
        now = self._clock()
        self._line.learn(self._sales.terms(event_id), now)
        self._line.steer(event_id, admission_per_second, paused)
        return self._line.stats(event_id, now)
