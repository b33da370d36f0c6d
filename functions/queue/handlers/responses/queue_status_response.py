"""What a waiting or admitted user gets (`docs/api.md`, Waiting room; `docs/waiting-room.md`)."""

from datetime import datetime
from typing import Literal

from common.domain.clock import microseconds
from common.domain.ids import EventId, UserId
from common.domain.model import Model, Moment
from functions.queue.domain.place_receipt import PlaceReceipt, PlaceReceiptSigner
from functions.queue.domain.queue_status import POLL_SECONDS, Admitted, QueueStatus


class WaitingResponse(Model):
    event_id: EventId
    status: Literal["WAITING"] = "WAITING"
    position: int
    ahead: int
    estimated_wait_seconds: int
    poll_after_seconds: int = POLL_SECONDS
    place: int  # compares with `serving` of GET /queue/serving/{eventId}
    ticket: str | None  # the place receipt, to be sent with the next `enter` if Redis loses the queue
    may_miss_out: bool


class AdmittedResponse(Model):
    event_id: EventId
    status: Literal["ADMITTED"] = "ADMITTED"
    token: str
    token_expires_at: Moment


def queue_status_response(
    event_id: EventId, user_id: UserId, status: QueueStatus, receipts: PlaceReceiptSigner, now: datetime
) -> WaitingResponse | AdmittedResponse:
    if isinstance(status, Admitted):
        return AdmittedResponse(event_id=event_id, token=status.token, token_expires_at=now + status.expires_in)
    return WaitingResponse(
        event_id=event_id,
        position=status.ahead + 1,
        ahead=status.ahead,
        estimated_wait_seconds=status.estimated_seconds,
        place=status.position.place,
        ticket=receipts.sign(event_id, user_id, PlaceReceipt(status.position, microseconds(now))),
        may_miss_out=status.may_miss_out,
    )
