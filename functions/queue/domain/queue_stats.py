"""A queue as a whole: for everyone who waits in it, and for operators."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from common.domain.ids import EventId
from functions.queue.domain.queue_speed import QueueSpeed

SaleState = Literal["NOT_OPEN", "OPEN", "PAUSED", "SOLD_OUT", "CLOSED"]


@dataclass(frozen=True)
class ServingPosition:
    """How far a queue has come: the same for every user in it."""

    state: SaleState
    front: int  # the place, in µs, up to which users have been admitted
    admitted: int  # since the sale began
    waiting: int
    speed: QueueSpeed


@dataclass(frozen=True)
class QueueStats:
    """A queue in numbers, for operators (QUEUE-012)."""

    event_id: EventId
    waiting: int
    admitted: int  # since the sale began
    active_tokens: int
    admission_per_second: int
    paused: bool
    oldest_wait: timedelta
    capacity: int
