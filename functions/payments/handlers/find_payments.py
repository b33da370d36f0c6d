"""Internal: the payments of reservations; reservations asks before a hold expires, and to show an open payment."""

from typing import Literal, cast

from common.contracts.reservation_payments import (
    ReservationPayment,
    ReservationPaymentsRequest,
    ReservationPaymentsResponse,
)
from common.http.internal_endpoint import internal
from functions.payments.wiring import repositories, secrets


@internal
def handler(request: ReservationPaymentsRequest) -> ReservationPaymentsResponse:
    portone = secrets.portone_secret()
    return ReservationPaymentsResponse(
        payments=[
            ReservationPayment(
                payment_id=payment.id,
                reservation_id=payment.reservation_id,
                payment_key=payment.payment_key,
                status=cast(Literal["PENDING", "SUCCESS", "REFUNDED"], payment.status.value),
                amount=payment.amount,
                order_name=payment.order_name,
                store_id=portone["storeId"],
                channel_key=portone["channelKey"],
            )
            for payment in repositories.payment_repository().active_of(request.reservation_ids)
        ]
    )
