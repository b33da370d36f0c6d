"""Calls to the payments service: the payments of reservations."""

from collections.abc import Sequence

from common.contracts.internal_call import Call
from common.contracts.reservation_payments import (
    ReservationPayment,
    ReservationPaymentsRequest,
    ReservationPaymentsResponse,
)
from common.domain.ids import ReservationId


class PaymentsClient:
    def __init__(self, call: Call, function: str) -> None:
        self._call = call
        self._function = function

    def payments(self, reservation_ids: Sequence[ReservationId]) -> dict[ReservationId, ReservationPayment]:
        """The payment that did not fail, of those that have one. Raises ServiceUnavailable."""
        if not reservation_ids:
            return {}
        request = ReservationPaymentsRequest(reservation_ids=list(reservation_ids))
        response = self._call(self._function, request, ReservationPaymentsResponse, read=True)
        return {payment.reservation_id: payment for payment in response.payments}
