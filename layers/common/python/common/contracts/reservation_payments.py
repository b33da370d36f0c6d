"""Reservations asks payments for the payments of its reservations: before a hold expires, and to show an open one."""

from typing import Annotated, Literal

from pydantic import Field

from common.domain.ids import PaymentId, ReservationId
from common.domain.model import Model

MOST_RESERVATIONS = 200  # in one call


class ReservationPaymentsRequest(Model):
    reservation_ids: Annotated[list[ReservationId], Field(max_length=MOST_RESERVATIONS)]


class ReservationPayment(Model):
    """The payment of a reservation that did not fail: there is at most one."""

    payment_id: PaymentId
    reservation_id: ReservationId
    payment_key: str
    status: Literal["PENDING", "SUCCESS", "REFUNDED"]
    amount: int  # won
    order_name: str
    store_id: str
    channel_key: str

    @property
    def is_paid(self) -> bool:
        """Its money is ours."""
        return self.status == "SUCCESS"


class ReservationPaymentsResponse(Model):
    payments: list[ReservationPayment]
