"""DELETE /reservations/{id}: cancel a reservation at the cancellation fee of the day (RSV-006)."""

from typing import Annotated

from pydantic import Field

from common.domain.ids import ReservationId
from common.domain.model import Model
from common.http.endpoint import endpoint
from common.http.request import IdPath, Query, User
from common.protection.rate_class import BOOKING
from functions.reservations.domain.errors import CancellationFeeChanged, NotCancellable
from functions.reservations.domain.reservation import Status
from functions.reservations.wiring import purchases


class CancelQuery(Query):
    expected_fee: Annotated[int | None, Field(ge=0)] = None  # as GET answered it; without it any fee is accepted


class CancelledResponse(Model):
    id: ReservationId
    status: Status
    refund_amount: int
    fee: int


@endpoint(limit=BOOKING, raises=[NotCancellable, CancellationFeeChanged])
def handler(user: User, path: IdPath, query: CancelQuery) -> CancelledResponse:
    cancelled = purchases.cancel_reservation().cancel(user.id, ReservationId(path.id), query.expected_fee)
    return CancelledResponse(
        id=cancelled.id, status=cancelled.status, refund_amount=cancelled.refund_amount, fee=cancelled.fee
    )
