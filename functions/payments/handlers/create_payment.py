"""POST /payments: a payment of the reservation's amount, ready for PortOne's browser SDK (PAY-004 to PAY-007)."""

from typing import Annotated, Literal

from pydantic import Field

from common.domain.ids import PaymentId, ReservationId
from common.domain.model import Model
from common.domain.shared_errors import HoldExpired, NotFound
from common.http.endpoint import Response, endpoint
from common.http.request import Body, Request, User
from common.protection.rate_class import PAYMENT
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.payments.domain.errors import PaymentInProgress, PaymentKeyReused, PaymentNotStarted
from functions.payments.domain.payment import PaymentStatus
from functions.payments.wiring import purchase, secrets


class CreateBody(Body):
    reservation_id: ReservationId
    payment_key: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[\x21-\x7e]+$")]
    method: Literal["CARD"]


class CreatedResponse(Model):
    payment_id: PaymentId
    payment_key: str
    reservation_id: ReservationId
    amount: int
    status: PaymentStatus
    store_id: str
    channel_key: str
    order_name: str


@endpoint(
    limit=PAYMENT,
    responses={200: CreatedResponse, 201: CreatedResponse},
    raises=[
        *QUEUE_TOKEN_ERRORS,
        NotFound,
        PaymentKeyReused,
        PaymentInProgress,
        HoldExpired,
        PaymentNotStarted,
    ],
)
def handler(request: Request, user: User, body: CreateBody) -> Response:
    purchase.queue_tokens().check_payment(request.queue_token, body.reservation_id)
    created = purchase.create_payment().create(user.id, body.reservation_id, body.payment_key, body.method)
    portone = secrets.portone_secret()
    response = CreatedResponse(
        payment_id=created.payment.id,
        payment_key=created.payment.payment_key,
        reservation_id=created.payment.reservation_id,
        amount=created.payment.amount,
        status=created.payment.status,
        store_id=portone["storeId"],
        channel_key=portone["channelKey"],
        order_name=created.payment.order_name,
    )
    return Response(response, 201 if created.is_new else 200)
