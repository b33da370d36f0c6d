"""DELETE /reservations/{id}: cancel a reservation at the cancellation fee of the day (RSV-006)."""

from common.domain.ids import ReservationId
from common.domain.model import Model
from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from common.protection.rate_class import BOOKING
from functions.reservations.domain.errors import NotCancellable
from functions.reservations.domain.reservation import Status
from functions.reservations.wiring import purchases


class CancelledResponse(Model):
    id: ReservationId
    status: Status
    refund_amount: int
    fee: int


@endpoint(limit=BOOKING, raises=[NotCancellable])
def handler(user: User, path: IdPath) -> CancelledResponse:
    cancelled = purchases.cancel_reservation().cancel(user.id, ReservationId(path.id))
    return CancelledResponse(
        id=cancelled.id, status=cancelled.status, refund_amount=cancelled.refund_amount, fee=cancelled.fee
    )
