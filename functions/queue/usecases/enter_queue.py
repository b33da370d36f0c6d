"""The waiting room's rules: who may stand in line, where, and what they are told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, log1p
from typing import Literal, Protocol
from uuid import UUID

from common.contracts.sale_terms import SaleTermsAnswer
from common.domain.clock import Clock, microseconds
from common.domain.shared_errors import DomainError, NotFound, SaleClosed, SaleNotOpen, ServiceUnavailable
from functions.queue.domain.errors import AlreadyWaiting, NotInQueue, QueueFull, SoldOut
from functions.queue.domain.place_receipt import Standing, Ticket

POLL_SECONDS = 5
# Longer than any `enter` may run: a claim this old whose user is in no line belongs to one that died.
CLAIM_GRACE = timedelta(seconds=30)
ASK_AGAIN = timedelta(seconds=5)  # after the events service did not answer; waiting for it may take longer than that
SLOWEST_PACE = 0.02  # of the rate: a line that has stood still is not for ever


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
class Speed:
    """How a line has moved in the last minutes, as measured where people are let in."""

    per_second: float  # let in
    churn: float = 0.0  # of those waiting, the part that gives up in a second

    def seconds_for(self, ahead: int) -> int:
        """Until `ahead` users are gone, let in or tired: n' = -per_second - churn·n, solved for n = 0."""
        if self.churn * ahead < self.per_second * 1e-6:
            return max(1, ceil(ahead / self.per_second))
        return max(1, ceil(log1p(ahead * self.churn / self.per_second) / self.churn))


@dataclass(frozen=True)
class Waiting:
    ahead: int  # users before this one
    standing: Standing
    speed: Speed
    seats_left: int | None = None  # not sold, as far as known
    how: str = "KEPT"  # the place: KEPT, TAKEN just now, or RETURNED after Redis forgot it

    @property
    def estimated_seconds(self) -> int:
        return self.speed.seconds_for(self.ahead)

    @property
    def may_miss_out(self) -> bool:
        """More users ahead than seats left: if each of them takes one, none is left."""
        return self.seats_left is not None and self.ahead >= self.seats_left


@dataclass(frozen=True)
class Admitted:
    token: str
    left: timedelta


Place = Waiting | Admitted
SaleState = Literal["NOT_OPEN", "OPEN", "PAUSED", "SOLD_OUT", "CLOSED"]


@dataclass(frozen=True)
class Turned:
    """Why the line does not take, or no longer serves, a user: NOT_OPEN, CLOSED, SoldOut or FULL."""

    away: str
    in_line: bool = False  # he keeps his place all the same, should seats come back


@dataclass(frozen=True)
class Claim:
    """Which event's line a user is in, or was about to enter."""

    event_id: UUID
    at: int  # epoch µs
    replaced: int | None = None  # when another `enter` for the same event had claimed him


@dataclass(frozen=True)
class Serving:
    """How far a line has come: the same for all of it."""

    state: SaleState
    front: int  # the place, in µs, of whoever was let in last
    admitted: int
    waiting: int
    speed: Speed


class Line(Protocol):
    """The events' lines. `enter` answers no place when it does not know the sale's terms, or knows only stale ones."""

    def enter(
        self, event_id: UUID, user_id: UUID, now: datetime, ticket: Ticket | None, *, accept_stale: bool
    ) -> tuple[Claim, Place | Turned | None]:
        """Claims the user for the event and takes the place; the two are not atomic together."""

    def place(self, event_id: UUID, user_id: UUID, now: datetime) -> Place | Turned | None: ...
    def leave(self, event_id: UUID, user_id: UUID) -> None: ...
    def learn(self, terms: SaleTermsAnswer, now: datetime) -> None: ...
    def trust(self, event_id: UUID, until: datetime) -> None:
        """Take terms already learnt for fresh until then."""

    def claim(self, user_id: UUID, event_id: UUID, now: datetime, instead_of: Claim) -> Claim: ...
    def undo(self, event_id: UUID, user_id: UUID) -> None: ...
    def release(self, user_id: UUID, claim: Claim) -> None:
        """Undoes this claim, and none that replaced it."""

    def stats(self, event_ids: list[UUID], now: datetime) -> list[LineStats]: ...
    def live(self, now: datetime) -> list[UUID]: ...
    def steer(self, event_id: UUID, admission_per_second: int | None, paused: bool | None) -> None: ...
    def serving(self, event_id: UUID, now: datetime) -> Serving | None: ...


class Sales(Protocol):
    def terms(self, event_id: UUID) -> SaleTermsAnswer:
        """Raises NotFound for an event there is none of, ServiceUnavailable when nobody answers."""


REFUSALS = {"NOT_OPEN": SaleNotOpen, "CLOSED": SaleClosed, "SOLD_OUT": SoldOut, "FULL": QueueFull}


class WaitingRoom:
    def __init__(self, line: Line, sales: Sales, clock: Clock) -> None:
        self._line = line
        self._sales = sales
        self._clock = clock

    def enter(self, event_id: UUID, user_id: UUID, ticket: Ticket | None = None) -> Place:
        """Take a place, or learn the one already held (QUEUE-001), in one round trip unless something is unusual.

        The claim on the user and the place in line are in two slots. Both are asked for at once, and whichever was
        granted alone is undone. Die in between and either the claim names a line the user is not in, which an `enter`
        elsewhere notices, and takes over after CLAIM_GRACE; or the user is in a line his claim does not name, which his
        next `enter` there undoes, and if there is none the place is dropped with those not seen.
        """
        now = self._clock()
        claim, place = self._line.enter(event_id, user_id, now, ticket, accept_stale=False)
        claims = [claim]
        try:
            if place is None:
                claim, place = self._enter_with_terms(event_id, user_id, now, ticket)
                claims.append(claim)
        except DomainError:
            self._release(claims, event_id, user_id, now)
            raise
        if isinstance(place, Admitted):
            return place
        if claim.event_id != event_id:
            self._settle(claim, place, event_id, user_id, now)
        if isinstance(place, Turned):
            if not place.in_line:
                self._release(claims, event_id, user_id, now)
            raise _refusal(place)
        return place

    def _release(self, claims: list[Claim], event_id: UUID, user_id: UUID, now: datetime) -> None:
        """Undo the claim of an `enter` that took no place, if nobody can have got one on it.

        One that replaced a young claim stays: the `enter` that made that one may be on its way to a place. If it is
        refused too, a claim is left on a line the user is not in, which CLAIM_GRACE ends.
        """
        if not any(each.replaced is not None and _young(each.replaced, now) for each in claims):
            for each in claims:
                if each.event_id == event_id:
                    self._line.release(user_id, each)
                    return

    def _settle(self, held: Claim, place: Waiting | Turned, event_id: UUID, user_id: UUID, now: datetime) -> None:
        """The user is claimed for another line: he waits there, or the claim is taken over if `place` is one.

        What he still has in a line that lets nobody in is then given up, or seats that come back would put him in two.
        Die before that and his next `enter` there does it.
        """
        there = self._line.place(held.event_id, user_id, now)
        # In no line and young: that `enter` may still be on its way, and to take over would put the user in both.
        under_way = there is None and _young(held.at, now)
        if not isinstance(there, Waiting) and not under_way:
            if isinstance(place, Turned) and not place.in_line:
                return
            claim = self._line.claim(user_id, event_id, now, instead_of=held)
            if claim.event_id == event_id:
                if isinstance(there, Turned):
                    self._line.undo(held.event_id, user_id)
                return
            held = claim
        self._line.undo(event_id, user_id)
        raise AlreadyWaiting(eventId=str(held.event_id))

    def _enter_with_terms(
        self, event_id: UUID, user_id: UUID, now: datetime, ticket: Ticket | None
    ) -> tuple[Claim, Place | Turned]:
        """Learn the sale's terms and enter. With the events service away, old terms are better than a closed door."""
        away: ServiceUnavailable | None = None
        try:
            self._line.learn(self._sales.terms(event_id), now)
        except ServiceUnavailable as error:
            away = error
        claim, place = self._line.enter(event_id, user_id, now, ticket, accept_stale=True)
        if place is None:  # never learnt, or lost again within this millisecond
            raise away or ServiceUnavailable()
        if away and not isinstance(place, Admitted):  # to whom the answer is a token, whether a line is known or not
            self._line.trust(event_id, until=self._clock() + ASK_AGAIN)
        return claim, place

    def status(self, event_id: UUID, user_id: UUID) -> Place:
        place = self._line.place(event_id, user_id, self._clock())
        if place is None:
            raise NotInQueue()
        if isinstance(place, Turned):
            raise _refusal(place)
        return place

    def leave(self, event_id: UUID, user_id: UUID) -> None:
        self._line.leave(event_id, user_id)

    def serving(self, event_id: UUID) -> Serving:
        """Raises NotFound until somebody has tried to enter: anybody may ask, of any id, and the events service is
        there for those who line up."""
        found = self._line.serving(event_id, self._clock())
        if found is None:
            raise NotFound()
        return found

    def stats(self, event_id: UUID | None) -> list[LineStats]:
        """Of one event's line, or of all whose sale is not over."""
        now = self._clock()
        if event_id is not None:
            self._learn_or_know(event_id, now)
        return self._line.stats([event_id] if event_id else self._line.live(now), now)

    def steer(self, event_id: UUID, admission_per_second: int | None, paused: bool | None) -> LineStats:
        """Change a line's rate, or pause it; in force from the next second."""
        now = self._clock()
        self._learn_or_know(event_id, now)
        self._line.steer(event_id, admission_per_second, paused)
        return self._line.stats([event_id], now)[0]

    def _learn_or_know(self, event_id: UUID, now: datetime) -> None:
        """With the events service away a line is run on what is known. Raises as `Sales` does if that is nothing."""
        try:
            self._line.learn(self._sales.terms(event_id), now)
        except ServiceUnavailable:
            if self._line.serving(event_id, now) is None:
                raise


def _young(claimed_at: int, now: datetime) -> bool:
    return microseconds(now) < claimed_at + CLAIM_GRACE // timedelta(microseconds=1)


def _refusal(turned: Turned) -> DomainError:
    return REFUSALS[turned.away](retry_after=POLL_SECONDS if turned.away == "FULL" else None)
