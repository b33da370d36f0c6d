"""What a queue says to a user: waiting, admitted, or rejected and why."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from common.domain.shared_errors import DomainError, SaleClosed, SaleNotOpen
from functions.queue.domain.errors import QueueFull, SoldOut
from functions.queue.domain.place_receipt import QueuePosition
from functions.queue.domain.queue_speed import QueueSpeed

POLL_SECONDS = 5

PlaceOutcome = Literal["KEPT", "TAKEN", "RETURNED"]
"""KEPT: the user had the place. TAKEN: a new place. RETURNED: an old place, after Redis lost the queue."""

RejectionReason = Literal["NOT_OPEN", "CLOSED", "SOLD_OUT", "FULL"]


@dataclass(frozen=True)
class Waiting:
    ahead: int  # users before this one
    position: QueuePosition
    speed: QueueSpeed
    seats_left: int | None = None  # not sold, as far as known
    outcome: PlaceOutcome = "KEPT"

    @property
    def estimated_seconds(self) -> int:
        return self.speed.seconds_for(self.ahead)

    @property
    def may_miss_out(self) -> bool:
        """At least as many users ahead as seats are left: if each buys one, none remains."""
        return self.seats_left is not None and self.ahead >= self.seats_left


@dataclass(frozen=True)
class Admitted:
    token: str
    expires_in: timedelta


QueueStatus = Waiting | Admitted


@dataclass(frozen=True)
class Rejected:
    """The queue does not accept the user, or no longer serves them."""

    reason: RejectionReason
    keeps_place: bool = False  # the user stays in the queue, in case seats become free

    def error(self) -> DomainError:
        return _ERRORS[self.reason](retry_after=POLL_SECONDS if self.reason == "FULL" else None)


_ERRORS: dict[RejectionReason, type[DomainError]] = {
    "NOT_OPEN": SaleNotOpen,
    "CLOSED": SaleClosed,
    "SOLD_OUT": SoldOut,
    "FULL": QueueFull,
}
