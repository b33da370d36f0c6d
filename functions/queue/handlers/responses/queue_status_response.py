"""What a user in line, or let in, is told (`docs/api.md`, Waiting room; `docs/waiting-room.md`)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from common.domain.clock import microseconds
from common.domain.model import Model, Moment
from functions.queue.domain.place_receipt import PlaceTickets, Ticket
from functions.queue.usecases.enter_queue import POLL_SECONDS, Admitted, Place


class WaitingAnswer(Model):
    event_id: UUID
    status: Literal["WAITING"] = "WAITING"
    position: int
    ahead: int
    estimated_wait_seconds: int
    poll_after_seconds: int = POLL_SECONDS
    place: int  # compares with `serving` of GET /queue/serving/{eventId}
    ticket: str | None  # to be sent with the next enter, should the line have been forgotten
    may_miss_out: bool


class AdmittedAnswer(Model):
    event_id: UUID
    status: Literal["ADMITTED"] = "ADMITTED"
    token: str
    token_expires_at: Moment


def place_answer(
    event_id: UUID, user_id: UUID, place: Place, tickets: PlaceTickets, now: datetime
) -> WaitingAnswer | AdmittedAnswer:
    if isinstance(place, Admitted):
        return AdmittedAnswer(event_id=event_id, token=place.token, token_expires_at=now + place.left)
    return WaitingAnswer(
        event_id=event_id,
        position=place.ahead + 1,
        ahead=place.ahead,
        estimated_wait_seconds=place.estimated_seconds,
        place=place.standing.place,
        ticket=tickets.sign(event_id, user_id, Ticket(place.standing, microseconds(now))),
        may_miss_out=place.may_miss_out,
    )
