"""Admission: by which rules users are admitted, and what one tick did."""

from dataclasses import dataclass

from common.domain.ids import EventId, UserId
from common.waitingroom.queue_keys import WAITER_GRACE_SECONDS


@dataclass(frozen=True)
class AdmissionPolicy:
    token_seconds: int = 600
    grace_seconds: int = WAITER_GRACE_SECONDS
    follow_seats: bool = False  # admit no user while every seat that is not sold is held


@dataclass(frozen=True)
class QueueShare:
    """The queues that one invocation moves: every queue is in exactly one of `of` shares."""

    number: int = 0
    of: int = 1

    def __contains__(self, event_id: EventId) -> bool:
        return event_id.int % self.of == self.number


@dataclass(frozen=True)
class QueueMove:
    """What a tick did to one queue."""

    event_id: EventId
    admitted: tuple[UserId, ...]  # in their order
    dropped: tuple[UserId, ...]
    waiting: int  # after the tick
    terms_due: bool  # the caller is to ask the events service for the sale terms
