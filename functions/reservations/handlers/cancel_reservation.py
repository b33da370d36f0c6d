"""DELETE /reservations/{id}: give a reservation back, at the fee of the day (RSV-006)."""

from uuid import UUID

from common.domain.model import Model
from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from common.protection.rate_class import BOOKING
from functions.reservations.domain.errors import NotCancellable
from functions.reservations.domain.reservation import Status
from functions.reservations.wiring.purchases import booking


class CancelledAnswer(Model):
    id: UUID
    status: Status
    refund_amount: int
    fee: int


@endpoint(limit=BOOKING, raises=[NotCancellable])
def handler(user: User, path: IdPath) -> CancelledAnswer:
    cancelled = booking().cancel(user.id, path.id)
    return CancelledAnswer(
        id=cancelled.id, status=cancelled.status, refund_amount=cancelled.refund_amount, fee=cancelled.fee
    )
