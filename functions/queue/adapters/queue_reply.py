"""The result of the scripts `enter_queue.lua` and `read_status.lua`: defined here for both."""

from datetime import timedelta
from typing import Any, NamedTuple

from functions.queue.domain.place_receipt import QueuePosition
from functions.queue.domain.queue_speed import QueueSpeed, measured_speed
from functions.queue.domain.queue_status import Admitted, PlaceOutcome, QueueStatus, Rejected, Waiting


class WaitingReply(NamedTuple):
    """The user has a place. Redis sends numbers that do not fit a double exactly, and empty fields, as strings."""

    kind: str  # "WAITING"
    ahead: int  # users before this one
    place: str  # µs
    front: str  # µs
    birth: str  # µs
    rate: str  # admissions a second, as configured
    pace: str  # the part of the rate that was used, or ""
    churn: str  # the part of the waiting users that gives up in a second, or ""
    seats: str  # seats not sold, or ""
    outcome: PlaceOutcome


class AdmittedReply(NamedTuple):
    """The user has a reservation token."""

    kind: str  # "ADMITTED"
    token: str
    milliseconds_left: int


class RejectedReply(NamedTuple):
    """`kind` is a RejectionReason."""

    kind: Any
    keeps_place: str  # "1" or "0"


# Two more kinds have no other field: UNKNOWN if the sale terms are missing or stale, ABSENT if the user has no place.


def parse_reply(reply: list[Any]) -> QueueStatus | Rejected | None:
    """None if the reply is UNKNOWN or ABSENT."""
    if reply[0] == "WAITING":
        waiting = WaitingReply(*reply)
        return Waiting(
            waiting.ahead,
            QueuePosition(int(waiting.place), int(waiting.front), int(waiting.birth)),
            parse_speed(waiting.rate, waiting.pace, waiting.churn),
            int(waiting.seats) if waiting.seats else None,
            waiting.outcome,
        )
    if reply[0] == "ADMITTED":
        admitted = AdmittedReply(*reply)
        return Admitted(admitted.token, timedelta(milliseconds=admitted.milliseconds_left))
    if reply[0] in ("UNKNOWN", "ABSENT"):
        return None
    rejected = RejectedReply(*reply)
    return Rejected(rejected.kind, keeps_place=rejected.keeps_place == "1")


def parse_speed(rate: str, pace: str, churn: str) -> QueueSpeed:
    return measured_speed(int(rate), float(pace) if pace else None, float(churn) if churn else None)
